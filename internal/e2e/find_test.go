package e2e

import (
	"fmt"
	"strings"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/dom"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// place is something on the page that assistive technology can find: by role and
// accessible name, inside another place or anywhere. It is looked up anew
// whenever it is used, because cards are replaced when they are saved.
type place struct {
	tab   *tab
	steps []step
}

// step is one role and name. A name that ends in "*" is the beginning of one, and
// one that starts with it the end.
type step struct{ role, name string }

// by names something on the page.
func (b *tab) by(role, name string) place { return place{b, []step{{role, name}}} }

// by names something inside.
func (p place) by(role, name string) place {
	return place{p.tab, append(p.steps[:len(p.steps):len(p.steps)], step{role, name})}
}

// Often used places.
func (b *tab) card(name string) place   { return b.by("region", name) }
func (b *tab) toggle(name string) place { return b.by("switch", name) }
func (p place) button(name string) place {
	return p.by("button", name)
}

func (p place) String() string {
	var parts []string
	for _, s := range p.steps {
		parts = append(parts, fmt.Sprintf("%s %q", s.role, s.name))
	}
	return strings.Join(parts, " > ")
}

func (s step) matches(n *accessibility.Node) bool {
	if n.Ignored || n.BackendDOMNodeID == 0 || roleOf(n) != s.role {
		return false
	}
	name := nameOf(n)
	if prefix, ok := strings.CutSuffix(s.name, "*"); ok {
		return strings.HasPrefix(name, prefix)
	}
	if suffix, ok := strings.CutPrefix(s.name, "*"); ok {
		return strings.HasSuffix(name, suffix)
	}
	return name == s.name
}

func roleOf(n *accessibility.Node) string {
	if n.Role == nil {
		return ""
	}
	return text(n.Role.Value)
}

func nameOf(n *accessibility.Node) string {
	if n.Name == nil {
		return ""
	}
	return strings.Join(strings.Fields(text(n.Name.Value)), " ")
}

// tree is the accessibility tree of a page at one moment. It is asked for as a
// whole: a browser that is asked about one node while it leaves the page crashes.
type tree struct {
	nodes []*accessibility.Node
	byID  map[accessibility.NodeID]*accessibility.Node
}

func (b *tab) tree() (tree, error) {
	ctx, cancel := b.brief()
	defer cancel()
	answer, err := chromedp.Call(ctx, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{})
	t := tree{answer.Nodes, map[accessibility.NodeID]*accessibility.Node{}}
	for _, n := range answer.Nodes {
		t.byID[n.NodeID] = n
	}
	return t, err
}

// below lists what is inside a node, in the order in which it is read; inside nil
// is everything.
func (t tree) below(n *accessibility.Node) []*accessibility.Node {
	var list []*accessibility.Node
	var walk func(n *accessibility.Node)
	walk = func(n *accessibility.Node) {
		for _, id := range n.ChildIDs {
			if child := t.byID[id]; child != nil {
				list = append(list, child)
				walk(child)
			}
		}
	}
	if n == nil {
		if len(t.nodes) == 0 {
			return nil
		}
		n, list = t.nodes[0], t.nodes[:1:1]
	}
	walk(n)
	return list
}

// text is what a screen reader reads in a node, on one line.
func (t tree) text(n *accessibility.Node) string {
	var parts []string
	for _, n := range t.below(n) {
		if name := nameOf(n); roleOf(n) == "StaticText" && !n.Ignored && name != "" {
			parts = append(parts, name)
		}
	}
	return strings.Join(parts, " ")
}

// find lists everything that matches in a tree.
func (p place) find(t tree) ([]*accessibility.Node, error) {
	var found []*accessibility.Node
	var inside *accessibility.Node
	for i, s := range p.steps {
		found = nil
		for _, n := range t.below(inside) {
			if s.matches(n) {
				found = append(found, n)
			}
		}
		if i == len(p.steps)-1 {
			break
		}
		if len(found) != 1 {
			return nil, fmt.Errorf("there are %d of %s", len(found), place{p.tab, p.steps[:i+1]})
		}
		inside = found[0]
	}
	return found, nil
}

// nodes lists everything that matches, now.
func (p place) nodes() ([]*accessibility.Node, error) {
	t, err := p.tab.tree()
	if err != nil {
		return nil, err
	}
	return p.find(t)
}

// node is the one that matches; several are an error, because nobody could say
// which is meant.
func (p place) node() (*accessibility.Node, error) {
	found, err := p.nodes()
	return only(found, err)
}

func only(found []*accessibility.Node, err error) (*accessibility.Node, error) {
	switch {
	case err != nil:
		return nil, err
	case len(found) == 0:
		return nil, errNone
	case len(found) > 1:
		return nil, fmt.Errorf("there are %d", len(found))
	}
	return found[0], nil
}

// wait waits until it is there.
func (p place) wait() *accessibility.Node {
	p.tab.t.Helper()
	var n *accessibility.Node
	p.tab.eventually(p.String(), func() (err error) {
		n, err = p.node()
		return err
	})
	return n
}

// gone waits until it is not there.
func (p place) gone() {
	p.tab.t.Helper()
	p.tab.eventually("the end of "+p.String(), func() error {
		found, err := p.nodes()
		if err == nil && len(found) > 0 {
			return fmt.Errorf("there are %d", len(found))
		}
		return err
	})
}

// is waits until a property, such as "checked" or "focused", has a value.
func (p place) is(property accessibility.PropertyName, want string) {
	p.tab.t.Helper()
	p.tab.eventually(fmt.Sprintf("%s to be %s: %s", p, property, want), func() error {
		n, err := p.node()
		if err != nil {
			return err
		}
		if got := propertyOf(n, property); got != want {
			return fmt.Errorf("it is %q", got)
		}
		return nil
	})
}

func (p place) checked(want bool) {
	p.tab.t.Helper()
	p.is(accessibility.PropertyNameChecked, fmt.Sprint(want))
}

func (p place) focused() {
	p.tab.t.Helper()
	p.is(accessibility.PropertyNameFocused, "true")
}

func propertyOf(n *accessibility.Node, name accessibility.PropertyName) string {
	for _, p := range n.Properties {
		if p.Name == name && p.Value != nil {
			return text(p.Value.Value)
		}
	}
	return ""
}

// describes waits until the accessible description has these words.
func (p place) describes(want string) {
	p.tab.t.Helper()
	p.tab.eventually(p.String()+" to be described", func() error {
		n, err := p.node()
		if err != nil {
			return err
		}
		got := ""
		if n.Description != nil {
			got = text(n.Description.Value)
		}
		if !strings.Contains(got, want) {
			return fmt.Errorf("its description %q lacks %q", got, want)
		}
		return nil
	})
}

// says waits until its visible text has these words.
func (p place) says(want string) {
	p.tab.t.Helper()
	p.tab.eventually(p.String()+" to say", func() error {
		got, err := p.text()
		if err == nil && !strings.Contains(got, want) {
			return fmt.Errorf("%q is not in %q", want, got)
		}
		return err
	})
}

// text is what a screen reader reads there, on one line.
func (p place) text() (string, error) {
	t, err := p.tab.tree()
	if err != nil {
		return "", err
	}
	n, err := only(p.find(t))
	if err != nil {
		return "", err
	}
	return t.text(n), nil
}

// content is the value of a field.
func (p place) content() string {
	p.tab.t.Helper()
	s, err := on[string](p.tab, p.wait().BackendDOMNodeID, `function() { return this.value }`)
	if err != nil {
		p.tab.t.Fatalf("%s: %v", p, err)
	}
	return s
}

// on runs a function with a node as this.
func on[T any](b *tab, node cdp.BackendNodeID, function string, args ...any) (T, error) {
	var zero T
	ctx, cancel := b.brief()
	defer cancel()
	resolved, err := chromedp.Call(ctx, dom.ResolveNode, dom.ResolveNodeParams{BackendNodeID: node})
	if err != nil {
		return zero, err
	}
	return chromedp.Run(ctx, chromedp.CallFunctionOn[T](function, func(p *runtime.CallFunctionOnParams) { p.ObjectID = resolved.Object.ObjectID }, args...))
}

// click scrolls there and clicks, once nothing else lies on top.
func (p place) click() {
	p.tab.t.Helper()
	p.tab.eventually(p.String()+" to be clicked", p.tryClick)
}

func (p place) tryClick() error {
	x, y, err := p.middle()
	if err != nil {
		return err
	}
	ctx, cancel := p.tab.brief()
	defer cancel()
	return chromedp.Do(ctx, chromedp.MouseClickXY(x, y))
}

// middle is the point to click at, in view.
func (p place) middle() (x, y float64, err error) {
	n, err := p.node()
	if err != nil {
		return 0, 0, err
	}
	ctx, cancel := p.tab.brief()
	defer cancel()
	if _, err := chromedp.Call(ctx, dom.ScrollIntoViewIfNeeded, dom.ScrollIntoViewIfNeededParams{BackendNodeID: n.BackendDOMNodeID}); err != nil {
		return 0, 0, err
	}
	quads, err := chromedp.Call(ctx, dom.GetContentQuads, dom.GetContentQuadsParams{BackendNodeID: n.BackendDOMNodeID})
	if err != nil {
		return 0, 0, err
	}
	if len(quads.Quads) == 0 {
		return 0, 0, fmt.Errorf("it has no place on the page")
	}
	q := quads.Quads[0]
	x, y = (q[0]+q[2]+q[4]+q[6])/4, (q[1]+q[3]+q[5]+q[7])/4
	cover, err := on[string](p.tab, n.BackendDOMNodeID, `function(x, y) {
		const top = document.elementFromPoint(x, y)
		return top && (top === this || this.contains(top) || top.contains(this) || top.control === this) ? '' : top?.outerHTML.slice(0, 120) ?? 'nothing'
	}`, x, y)
	if err == nil && cover != "" {
		err = fmt.Errorf("%s lies on top of it", cover)
	}
	return x, y, err
}

// fill replaces what is in a field by typing.
func (p place) fill(words string) {
	p.tab.t.Helper()
	p.click()
	p.focused()
	p.tab.keys("a", chromedp.ModifierCtrl)
	p.tab.keys("\b")
	p.tab.keys(words)
}
