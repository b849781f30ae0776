package webexsim

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"net/http"
	"net/url"
)

//go:embed chooser.css
var chooserCSS string

//go:embed chooser.html
var chooserHTML string

var chooserPage = template.Must(template.New("chooser").Parse(chooserHTML))

// choose is the page that asks whom to sign in as. It works without a script:
// each person is a link to the same address with a login_hint.
func (s *Sim) choose(c *call, redirect *url.URL, note string) answer {
	type choice struct {
		Persona
		Link string
	}
	type field struct{ Name, Value string }
	var view struct {
		CSS            template.CSS
		Title, Message string
		Note           string
		People         []choice
		Hidden         []field
	}
	view.CSS, view.Title, view.Note = template.CSS(chooserCSS), "Sign in", note //nolint:gosec // our own file
	for _, p := range Personas() {
		view.People = append(view.People, choice{p, "authorize?" + withLoginHint(c.query, p.Email)})
	}
	for key, values := range c.query {
		if key != "login_hint" {
			view.Hidden = append(view.Hidden, field{key, values[0]})
		}
	}
	// The form leads here, and from here to the portal: browsers hold both to form-action.
	return htmlAnswer(http.StatusOK, "'self' "+redirect.Scheme+"://"+redirect.Host, view)
}

// page says why nobody can sign in.
func (s *Sim) page(_ *call, status int, title, message string) answer {
	return htmlAnswer(status, "'none'", struct {
		CSS                  template.CSS
		Title, Message, Note string
		People               []struct{}
		Hidden               []struct{}
	}{CSS: template.CSS(chooserCSS), Title: title, Message: message}) //nolint:gosec // our own file
}

func htmlAnswer(status int, formAction string, view any) answer {
	var buf bytes.Buffer
	if err := chooserPage.Execute(&buf, view); err != nil {
		panic("webexsim: " + err.Error()) // a bytes.Buffer does not fail, the template is fixed
	}
	sum := sha256.Sum256([]byte(chooserCSS))
	return answer{status: status, body: buf.Bytes(), header: http.Header{
		"Content-Type":           {"text/html; charset=utf-8"},
		"X-Content-Type-Options": {"nosniff"},
		"Referrer-Policy":        {"no-referrer"},
		"Content-Security-Policy": {"default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
			"'; form-action " + formAction + "; base-uri 'none'; frame-ancestors 'none'"},
	}}
}
