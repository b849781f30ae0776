package serviceapp

import "context"

// Stored says what Redis holds, for whoever must not change it.
type Stored struct {
	Present  bool // there are tokens
	Readable bool // they were sealed with one of our keys
	Ours     bool // they descend from our seed
}

// Peek looks at what is stored and changes nothing, where every other method
// seeds anew what it cannot open, or what descends from another seed.
func (k *Keeper) Peek(ctx context.Context) (Stored, error) {
	cur, err := k.store.load(ctx)
	if err != nil {
		return Stored{}, err
	}
	return Stored{
		Present: cur.version > 0, Readable: cur.version > 0 && !cur.unreadable, Ours: cur.tokens.Seed == k.seed.Seed,
	}, nil
}
