package webexsim

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// Control serves the control plane (see the package documentation). It has no
// authentication: keep it on a listener of its own, on the loopback interface.
func (s *Sim) Control() http.Handler {
	mux := http.NewServeMux()
	handle := func(pattern string, h func(*http.Request) (any, error)) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			v, err := h(r)
			status := http.StatusOK
			switch {
			case errors.Is(err, errUnknown):
				status, v = http.StatusNotFound, map[string]string{"error": err.Error()}
			case err != nil:
				status, v = http.StatusBadRequest, map[string]string{"error": err.Error()}
			case v == nil:
				w.WriteHeader(http.StatusNoContent)
				return
			}
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			_ = json.NewEncoder(w).Encode(v) // the client may have gone
		})
	}

	handle("POST /reset", func(*http.Request) (any, error) { s.Reset(); return nil, nil })
	handle("POST /seed", func(r *http.Request) (any, error) {
		var v struct {
			Seed   int64 `json:"seed"`
			People int   `json:"people"`
		}
		if err := read(r, &v); err != nil {
			return nil, err
		}
		if v.People < 0 || v.People > 1_000_000 {
			return nil, fmt.Errorf("%d people", v.People)
		}
		s.Seed(v.Seed, v.People)
		return nil, nil
	})

	handle("GET /faults", func(*http.Request) (any, error) {
		return map[string]any{"faults": append([]Fault{}, s.faults.all()...), "kinds": faultKinds}, nil
	})
	handle("PUT /faults", func(r *http.Request) (any, error) { // replaces all of them
		var list []Fault
		if err := read(r, &list); err != nil {
			return nil, err
		}
		for _, f := range list {
			if err := f.check(); err != nil {
				return nil, err
			}
		}
		s.ClearFaults()
		for _, f := range list {
			s.SetFault(f)
		}
		return nil, nil
	})
	handle("POST /faults", func(r *http.Request) (any, error) { // adds one, or replaces the one with its id
		var f Fault
		if err := read(r, &f); err != nil {
			return nil, err
		}
		if err := f.check(); err != nil {
			return nil, err
		}
		return map[string]string{"id": s.SetFault(f)}, nil
	})
	handle("DELETE /faults", func(*http.Request) (any, error) { s.ClearFaults(); return nil, nil })
	handle("DELETE /faults/{id}", func(r *http.Request) (any, error) { s.ClearFault(r.PathValue("id")); return nil, nil })

	handle("GET /requests", func(*http.Request) (any, error) { return s.Requests(), nil })
	handle("DELETE /requests", func(*http.Request) (any, error) { s.ClearRequests(); return nil, nil })
	handle("GET /violations", func(*http.Request) (any, error) { return append([]string{}, s.Violations()...), nil })

	handle("GET /personas", func(*http.Request) (any, error) { return Personas(), nil })
	handle("GET /people/{who}", func(r *http.Request) (any, error) {
		p, known := s.Person(r.PathValue("who"))
		if !known {
			return nil, errUnknown
		}
		return p, nil
	})
	handle("DELETE /people/{who}", func(r *http.Request) (any, error) { return nil, s.DeletePerson(r.PathValue("who")) })
	handle("GET /people/{who}/settings/{name}", func(r *http.Request) (any, error) {
		return s.Setting(r.PathValue("who"), r.PathValue("name"))
	})
	handle("PUT /people/{who}/settings/{name}", func(r *http.Request) (any, error) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		return nil, s.SetSetting(r.PathValue("who"), r.PathValue("name"), string(body))
	})
	access := func(r *http.Request) (any, error) {
		var v struct {
			Allowed bool `json:"allowed"`
		}
		if err := read(r, &v); err != nil {
			return nil, err
		}
		return nil, s.SetFeatureAccess(r.PathValue("who"), r.PathValue("feature"), v.Allowed)
	}
	handle("PUT /access/{feature}", access)
	handle("PUT /people/{who}/access/{feature}", access)

	handle("GET /queues", func(*http.Request) (any, error) { return s.Queues(), nil })
	handle("GET /queues/{queue}", func(r *http.Request) (any, error) {
		q, known := s.Queue(r.PathValue("queue"))
		if !known {
			return nil, errUnknown
		}
		return q, nil
	})
	handle("PUT /queues/{queue}/agents/{who}", func(r *http.Request) (any, error) {
		var v struct {
			Joined bool `json:"joined"`
		}
		if err := read(r, &v); err != nil {
			return nil, err
		}
		return nil, s.SetQueueJoined(r.PathValue("queue"), r.PathValue("who"), v.Joined)
	})

	handle("GET /huntGroups", func(*http.Request) (any, error) { return s.HuntGroups(), nil })
	handle("GET /huntGroups/{name}", func(r *http.Request) (any, error) {
		h, known := s.HuntGroup(r.PathValue("name"))
		if !known {
			return nil, errUnknown
		}
		return h, nil
	})
	handle("GET /groups/{name}", func(r *http.Request) (any, error) {
		g, known := s.Group(r.PathValue("name"))
		if !known {
			return nil, errUnknown
		}
		return g, nil
	})
	handle("PUT /groups/{name}/members/{who}", func(r *http.Request) (any, error) {
		var v struct {
			Member bool `json:"member"`
		}
		if err := read(r, &v); err != nil {
			return nil, err
		}
		return nil, s.SetGroupMember(r.PathValue("name"), r.PathValue("who"), v.Member)
	})

	handle("POST /tokens/revoke", func(*http.Request) (any, error) { s.RevokeServiceAppTokens(); return nil, nil })
	handle("POST /tokens/expire", func(*http.Request) (any, error) { s.ExpireAccessToken(); return nil, nil })
	handle("POST /tokens/authorize", func(*http.Request) (any, error) {
		return map[string]string{"refreshToken": s.ReauthorizeServiceApp()}, nil
	})
	handle("POST /keys/rotate", func(r *http.Request) (any, error) {
		s.RotateSigningKeys(r.URL.Query().Get("keepOld") == "true")
		return nil, nil
	})
	handle("PUT /signin", func(r *http.Request) (any, error) {
		var v SignIn
		if err := read(r, &v); err != nil {
			return nil, err
		}
		s.SetSignIn(v)
		return nil, nil
	})
	handle("DELETE /signin", func(*http.Request) (any, error) { s.SetSignIn(SignIn{}); return nil, nil })
	handle("PUT /variant", func(r *http.Request) (any, error) {
		var v Variant
		if err := read(r, &v); err != nil {
			return nil, err
		}
		s.SetVariant(v)
		return nil, nil
	})
	handle("PUT /limits", func(r *http.Request) (any, error) {
		var v struct {
			Latency    string `json:"latency"`
			RateLimit  int    `json:"rateLimit"`
			RetryAfter string `json:"retryAfter"`
		}
		if err := read(r, &v); err != nil {
			return nil, err
		}
		latency, err1 := duration(v.Latency)
		retryAfter, err2 := duration(v.RetryAfter)
		if err := errors.Join(err1, err2); err != nil {
			return nil, err
		}
		s.SetLatency(latency)
		s.SetRateLimit(v.RateLimit, retryAfter)
		return nil, nil
	})
	return mux
}

var errUnknown = errors.New("there is no such thing")

// read is strict: a word that is not known is a mistake in a test.
func read(r *http.Request, v any) error {
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	return d.Decode(v)
}
