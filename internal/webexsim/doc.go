// Package webexsim is a Webex organization in a box: an OpenID provider with a
// page to choose whom to sign in as, the tokens of a service app, and the
// operations of the Webex APIs that the portal uses. Tests run against it over
// real HTTP, and so does `portal demo`.
//
// It has Webex's warts on purpose: small pages with an empty one in between,
// ids with odd cluster parts that differ between answers about the same person, an
// issuer that is not the discovery document's, numbers in two formats, error bodies in several
// styles, fields that may not be sent back, gzip, a trackingid that comes twice. What
// nobody outside Cisco knows for sure is a Variant. The organization follows from
// Options.Seed and changes when it is written to; Reset puts it back.
//
// # In a test
//
//	sim, err := webexsim.Start(ctx, webexsim.Options{CheckContract: true})
//	defer sim.Close()
//	portal := configure(sim.BaseURL, sim.Credentials())
//	sim.SetFault(webexsim.Fault{Path: "/people/{personId}/features/callForwarding", Kind: webexsim.FaultStatus, Status: 503, RetryAfter: time.Minute})
//	sim.Setting("greta.holm@patchbay.example", "doNotDisturb") // what Webex thinks now
//	sim.Requests()                                             // what the portal asked
//	sim.Violations()                                           // what it should not have asked
//
// # The control plane
//
// Everything that a test in Go can do, another program can do over HTTP, on a
// listener of its own. Bodies are JSON; errors are {"error": "..."} with 400 or 404.
//
//	POST   /reset                              the organization as at the start; no faults, history, sign-in overrides (tokens stay)
//	POST   /seed                               {"seed": 7, "people": 1000}: another organization
//	GET    /faults                             {"faults": [...], "kinds": [...]}
//	PUT    /faults                             [fault, ...] instead of all that are set
//	POST   /faults                             one more; {"id": "..."}
//	DELETE /faults, /faults/{id}
//	GET    /requests                           the history, oldest first
//	DELETE /requests
//	GET    /violations                         requests that broke the contract (with Options.CheckContract)
//	GET    /personas                           the people with a story
//	GET    /people/{who}                       who is an e-mail address, an id or a UUID
//	DELETE /people/{who}
//	GET    /people/{who}/settings/{name}       callForwarding, callWaiting, doNotDisturb, intercept, voicemail
//	PUT    /people/{who}/settings/{name}       merged in, unchecked
//	PUT    /people/{who}/access/{feature}      {"allowed": false}: the organization hides a feature from a person
//	PUT    /access/{feature}                   the same as the organization's default
//	GET    /queues, /queues/{queue}            queue is a name or an id
//	PUT    /queues/{queue}/agents/{who}        {"joined": true}
//	GET    /huntGroups, /huntGroups/{name}     name is a name or an id
//	GET    /groups/{name}                      a group of people, by name or id
//	PUT    /groups/{name}/members/{who}        {"member": true}
//	POST   /tokens/expire                      the service app's access tokens end now
//	POST   /tokens/revoke                      all its tokens end
//	POST   /tokens/authorize                   {"refreshToken": "..."}: a new one, as after an administrator's consent
//	POST   /keys/rotate?keepOld=true           another signing key
//	PUT    /signin                             overrides of ID token and userinfo, see SignIn; DELETE ends them
//	PUT    /variant                            see Variant
//	PUT    /limits                             {"latency": "2s", "rateLimit": 300, "retryAfter": "3600s"}
//
// A fault is {"id", "method", "path", "kind", "status", "retryAfter": "30s", "body", "delay": "2s", "times", "probability"};
// see Fault and FaultKind. Faults are tried in the order in which they were set; the first that applies is used.
package webexsim
