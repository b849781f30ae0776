package portal_test

import (
	"fmt"
	"net/http"
	"net/url"
	"testing"
)

// administrationAnswers shows the answers of what administrators ask, for the test
// that holds all answers to their description.
func (w *world) administrationAnswers(t *testing.T, hold func(b *browser, wrong bool) *browser) {
	t.Helper()
	admin, w2 := w.signIn(t, ines), w.signIn(t, tom)
	c := hold(admin, false)
	benID := w.sim.MustPerson(ben).ID
	berlin := w.sim.MustPerson(ben).LocationID

	made := c.json(http.MethodPost, "/api/grants", fmt.Sprintf(`{"to":{"person":%q},"role":"helpdesk","scope":{"locations":[%q]},"reason":"shape"}`, tom, berlin)).wants(t, http.StatusCreated).object(t)
	grant := "/api/grants/" + fmt.Sprint(made["id"])
	c.get("/api/grants").wants(t, http.StatusOK)
	c.json(http.MethodPatch, grant, `{"until":"2035-01-01T00:00:00Z"}`).wants(t, http.StatusOK)
	c.json(http.MethodDelete, grant, "")

	policy := c.get("/api/policy").wants(t, http.StatusOK)
	c.put("/api/policy", policy.body).wants(t, http.StatusOK)

	c.get("/api/log").wants(t, http.StatusOK)
	for _, s := range hold(w2, false).get("/api/sessions").wants(t, http.StatusOK).list(t) {
		id, _ := s.(map[string]any)["id"].(string)
		c.json(http.MethodDelete, "/api/sessions/"+url.PathEscape(id)+"?person="+url.QueryEscape(w.sim.MustPerson(tom).ID), "").wants(t, http.StatusNoContent)
	}

	person := "/api/people/" + url.PathEscape(benID)
	c.json(http.MethodPost, person+"/devices/activation-code", `{"model":"DMS Cisco 9861"}`).wants(t, http.StatusCreated)
	for _, d := range c.get(person+"/devices").wants(t, http.StatusOK).list(t) {
		device, _ := d.(map[string]any)
		if device["connectionStatus"] != "connected" {
			continue
		}
		one := person + "/devices/" + url.PathEscape(fmt.Sprint(device["id"]))
		lines := c.get(one+"/lines").wants(t, http.StatusOK)
		c.put(one+"/lines", `[{"port":1,"label":"Ben"}]`).wants(t, http.StatusOK)
		c.json(http.MethodPost, one+"/apply", "")
		c.json(http.MethodDelete, one, "").wants(t, http.StatusNoContent)
		if len(lines.list(t)) == 0 {
			t.Error("a phone without lines")
		}
	}
}
