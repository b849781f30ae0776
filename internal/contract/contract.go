// Package contract holds the machine-readable contract of the Webex operations
// that the portal uses (openapi.json, derived from Cisco's specifications, see
// NOTICE) and checks requests and answers against it. The simulator refuses by
// it, and tests hold both the client and the simulator to it.
package contract

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
)

//go:embed openapi.json
var document []byte

// ErrUnknownOperation means that the contract has no such method and path.
var ErrUnknownOperation = errors.New("the contract has no such operation")

// Operation is one entry of the contract.
type Operation struct {
	ID     string   // operationId
	Method string   // upper case
	Path   string   // template, "/people/{personId}"
	Scopes []string // x-webex-scopes: one of them is enough
	Params map[string]string
}

// Contract checks messages.
type Contract struct {
	doc    *openapi3.T
	router routers.Router
}

// Load parses the contract. It takes a good part of a second, so it is done
// once per process, when first asked for.
var Load = sync.OnceValues(load)

func load() (*Contract, error) {
	loader := openapi3.NewLoader()
	doc, err := loader.LoadFromData(document)
	if err != nil {
		return nil, fmt.Errorf("parse the contract: %w", err)
	}
	doc.Servers = nil // paths are matched below the API's base, wherever that is
	router, err := gorillamux.NewRouter(doc)
	if err != nil {
		return nil, fmt.Errorf("route the contract: %w", err)
	}
	return &Contract{doc: doc, router: router}, nil
}

// Find says which operation a method and a path below the API's base belong to.
func (c *Contract) Find(method, path string) (Operation, error) {
	route, params, err := c.route(method, path, nil)
	if err != nil {
		return Operation{}, err
	}
	return Operation{ID: route.Operation.OperationID, Method: route.Method, Path: route.Path, Scopes: scopes(route.Operation), Params: params}, nil
}

// Operations lists the whole contract.
func (c *Contract) Operations() []Operation {
	var ops []Operation
	for path, item := range c.doc.Paths.Map() {
		for method, op := range item.Operations() {
			ops = append(ops, Operation{ID: op.OperationID, Method: method, Path: path, Scopes: scopes(op)})
		}
	}
	slices.SortFunc(ops, func(a, b Operation) int { return strings.Compare(a.Path+a.Method, b.Path+b.Method) })
	return ops
}

// CheckRequest says what is wrong with a request whose path is below the API's
// base. The body is read from the argument, not from r.
func (c *Contract) CheckRequest(method, path, rawQuery string, header http.Header, body []byte) error {
	u := &url.URL{Scheme: "http", Host: "contract", Path: path, RawQuery: rawQuery}
	route, params, err := c.route(method, path, u)
	if err != nil {
		return err
	}
	if err := unknownQuery(route.Operation, route.PathItem, u.Query()); err != nil {
		return err
	}
	r := &http.Request{Method: method, URL: u, Header: header, Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body))}
	in := &openapi3filter.RequestValidationInput{Request: r, PathParams: params, Route: route, Options: options()}
	if err := openapi3filter.ValidateRequest(context.Background(), in); err != nil {
		return fmt.Errorf("%s %s: %w", method, route.Path, err)
	}
	return nil
}

// CheckResponse says what is wrong with an answer to such a request.
func (c *Contract) CheckResponse(method, path string, status int, header http.Header, body []byte) error {
	u := &url.URL{Scheme: "http", Host: "contract", Path: path}
	route, params, err := c.route(method, path, u)
	if err != nil {
		return err
	}
	r := &http.Request{Method: method, URL: u, Header: http.Header{}}
	in := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: r, PathParams: params, Route: route, Options: options()},
		Status:                 status, Header: header, Body: io.NopCloser(bytes.NewReader(body)), Options: options(),
	}
	if err := openapi3filter.ValidateResponse(context.Background(), in); err != nil {
		return fmt.Errorf("answer %d to %s %s: %w", status, method, route.Path, err)
	}
	return nil
}

func (c *Contract) route(method, path string, u *url.URL) (*routers.Route, map[string]string, error) {
	if u == nil {
		u = &url.URL{Scheme: "http", Host: "contract", Path: path}
	}
	route, params, err := c.router.FindRoute(&http.Request{Method: method, URL: u, Host: "contract", Header: http.Header{}})
	if err != nil {
		return nil, nil, fmt.Errorf("%s %s: %w", method, path, ErrUnknownOperation)
	}
	return route, params, nil
}

func options() *openapi3filter.Options {
	return &openapi3filter.Options{
		IncludeResponseStatus: true,
		MultiError:            true,
		AuthenticationFunc:    openapi3filter.NoopAuthenticationFunc,
	}
}

// unknownQuery finds query parameters that the contract does not list: Webex
// ignores them, so a typing error would go unseen.
func unknownQuery(op *openapi3.Operation, item *openapi3.PathItem, query url.Values) error {
	for name := range query {
		if op.Parameters.GetByInAndName("query", name) == nil && item.Parameters.GetByInAndName("query", name) == nil {
			return fmt.Errorf("%s: the contract has no query parameter %q", op.OperationID, name)
		}
	}
	return nil
}

func scopes(op *openapi3.Operation) []string {
	var list []string
	switch v := op.Extensions["x-webex-scopes"].(type) {
	case json.RawMessage:
		_ = json.Unmarshal(v, &list)
	case []any:
		for _, s := range v {
			list = append(list, fmt.Sprint(s))
		}
	}
	return list
}
