package selfservice

import (
	"context"
	"slices"
	"time"

	"patchbay/internal/access"
	"patchbay/internal/audit"
	"patchbay/internal/cache"
	"patchbay/internal/webex"
)

// fetchTimeout bounds what is read in the background because a page did without it.
const fetchTimeout = 20 * time.Second

// Target is the queue or hunt group as permissions see it.
func (q Queue) Target() access.Target { return q.target() }

// KnownSubject is a person as the directory has them, for questions about rights.
// It asks nobody; who is not in the directory is nowhere.
func (s *Service) KnownSubject(personID string) Subject {
	return s.knownSubject(audit.Person{ID: personID})
}

// KnownQueueList is QueuesInReach as it was last read, without asking Webex. When it
// is not known it is read in the background, for the next time.
func (s *Service) KnownQueueList(ctx context.Context, c access.Caller) ([]Queue, bool) {
	r, ok := cache.Peek[[]Queue](ctx, s.Cache, queuesKey)
	if !ok {
		s.fetch(ctx, func(ctx context.Context) { _, _ = s.allQueues(ctx) })
		return nil, false
	}
	return slices.DeleteFunc(slices.Clone(r.Value), func(q Queue) bool { return !mayQueue(c, access.ReadQueues, q) }), true
}

// KnownDefaults tells which settings Webex itself leaves to people, by their names,
// as the organization's default for everybody was last read. It asks nobody, as
// KnownQueueList does.
func (s *Service) KnownDefaults(ctx context.Context) (open map[string]bool, ok bool) {
	r, ok := cache.Peek[webex.Permissions](ctx, s.Cache, cache.Key{Owner: "organization", Name: "featureAccess"})
	if !ok {
		s.fetch(ctx, func(ctx context.Context) { _, _ = s.defaultPolicy(ctx) })
		return nil, false
	}
	open = map[string]bool{}
	for _, setting := range s.catalogue {
		if setting.FeatureKey != "" {
			open[setting.Name] = r.Value.Allows(setting.FeatureKey)
		}
	}
	return open, true
}

// fetch reads something in the background; that it fails costs only that it is not
// known the next time either.
func (s *Service) fetch(ctx context.Context, read func(context.Context)) {
	ctx, cancel := context.WithTimeout(webex.WithPriority(context.WithoutCancel(ctx), webex.Background), fetchTimeout)
	go func() {
		defer cancel()
		read(ctx)
	}()
}
