package admin

import (
	"net/http"
	"net/url"
	"strings"
)

// A router finds the handler of a path, as it was sent, before it is decoded:
// so %2F in a name is a part of the name. (http.ServeMux does so too, but for
// the name "/" itself, which it takes for the end of a path, and it redirects
// what it finds untidy.)
type router []place

// A place is a path, in which {name} stands for one segment that is not empty,
// and what handles it.
type place struct {
	path    string
	handler http.Handler
}

// ServeHTTP gives the name, decoded, as the path value "name".
func (rt router) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	escaped := r.URL.EscapedPath()
	for _, p := range rt {
		if name, ok := p.match(escaped); ok {
			r.SetPathValue("name", name)
			p.handler.ServeHTTP(w, r)
			return
		}
	}
	text := "there is nothing here; /api/v1/openapi.yaml lists what there is"
	if strings.HasPrefix(escaped, "/api/v1/queues/") {
		text = "there is nothing here; a slash in the name of a queue is written %2F"
	}
	fail(w, http.StatusNotFound, text)
}

// match reports whether the path is this place, and what stands for {name}.
func (p place) match(escaped string) (name string, ok bool) {
	before, after, named := strings.Cut(p.path, "{name}")
	if !named {
		return "", escaped == p.path
	}
	rest, ok := strings.CutPrefix(escaped, before)
	if !ok {
		return "", false
	}
	segment, ok := strings.CutSuffix(rest, after)
	if !ok || segment == "" || strings.Contains(segment, "/") {
		return "", false
	}
	name, err := url.PathUnescape(segment)
	return name, err == nil
}
