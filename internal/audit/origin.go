package audit

import "context"

// Origin is where a request came from: what the record of everything it does has
// besides.
type Origin struct {
	RequestID string
	Address   string // of the client
}

type originKey struct{}

// WithOrigin notes the origin of a request; entries that are begun with the returned
// context, and do not name one, have it.
func WithOrigin(ctx context.Context, o Origin) context.Context {
	return context.WithValue(ctx, originKey{}, o)
}

// from fills in the origin of the request.
func (e Entry) from(ctx context.Context) Entry {
	o, _ := ctx.Value(originKey{}).(Origin)
	if e.RequestID == "" {
		e.RequestID = o.RequestID
	}
	if e.Address == "" {
		e.Address = o.Address
	}
	return e
}
