package admin

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"entrepot/broker/config"
)

// A document is openapi.yaml, as far as these tests need to understand it.
type document map[string]any

func readDocument(t *testing.T) document {
	t.Helper()
	var doc map[string]any
	require.NoError(t, yaml.Unmarshal(openAPI, &doc))
	return doc
}

// resolve follows $ref.
func (d document) resolve(node any) map[string]any {
	object, _ := node.(map[string]any)
	ref, ok := object["$ref"].(string)
	if !ok {
		return object
	}
	var at any = map[string]any(d)
	for _, step := range strings.Split(strings.TrimPrefix(ref, "#/"), "/") {
		at = at.(map[string]any)[step]
	}
	if at == nil {
		panic("dangling " + ref)
	}
	return d.resolve(at)
}

// response is what is documented for an operation and a status; nil: nothing.
func (d document) response(path, method string, status int) map[string]any {
	paths := d["paths"].(map[string]any)
	operation := d.resolve(d.resolve(paths[path])[strings.ToLower(method)])
	responses, _ := operation["responses"].(map[string]any)
	return d.resolve(responses[strconv.Itoa(status)])
}

// check holds a JSON value against a schema.
func (d document) check(at string, node, value any) error {
	schema := d.resolve(node)
	if options, ok := schema["oneOf"].([]any); ok {
		for _, option := range options {
			if d.check(at, option, value) == nil {
				return nil
			}
		}
		return fmt.Errorf("%s: %v is none of the possible kinds", at, value)
	}
	switch v := value.(type) {
	case map[string]any:
		return d.checkObject(at, schema, v)
	case []any:
		for i, item := range v {
			if err := d.check(fmt.Sprintf("%s[%d]", at, i), schema["items"], item); err != nil {
				return err
			}
		}
		return wantType(at, schema, "array")
	case string:
		if enum, ok := schema["enum"].([]any); ok && !slices.Contains(enum, any(v)) {
			return fmt.Errorf("%s: %q is not one of %v", at, v, enum)
		}
		return wantType(at, schema, "string")
	case bool:
		return wantType(at, schema, "boolean")
	case float64:
		if schema["type"] == "number" {
			return nil
		}
		return wantType(at, schema, "integer")
	}
	return fmt.Errorf("%s: unexpected %T", at, value)
}

func (d document) checkObject(at string, schema, object map[string]any) error {
	properties, _ := schema["properties"].(map[string]any)
	for key, value := range object {
		if properties[key] == nil {
			return fmt.Errorf("%s.%s is not documented", at, key)
		}
		if err := d.check(at+"."+key, properties[key], value); err != nil {
			return err
		}
	}
	required, _ := schema["required"].([]any)
	for _, key := range required {
		if _, ok := object[key.(string)]; !ok {
			return fmt.Errorf("%s.%s is missing", at, key)
		}
	}
	return wantType(at, schema, "object")
}

func wantType(at string, schema map[string]any, got string) error {
	if schema["type"] != got {
		return fmt.Errorf("%s is a %s, documented as %v", at, got, schema["type"])
	}
	return nil
}

// A site is a handler under test. Whatever it answers is held against the
// document.
type site struct {
	t       *testing.T
	doc     document
	handler http.Handler
	log     *bytes.Buffer
}

func newSite(t *testing.T, b Broker, users ...config.User) *site {
	log := &bytes.Buffer{}
	o := Options{Broker: b, Users: config.NewAuthenticator(users), Version: "test", Logger: slog.New(slog.NewTextHandler(log, nil))}
	return &site{t: t, doc: readDocument(t), handler: newHandler(o), log: log}
}

// call sends a request to a path of the document; name stands for {name} as it
// is to be sent. It wants the status, and gives the body as JSON.
func (s *site) call(status int, method, path, name, body string, edit ...func(*http.Request)) map[string]any {
	s.t.Helper()
	w := s.do(method, strings.Replace(path, "{name}", name, 1), body, edit...)
	require.Equal(s.t, status, w.Code, w.Body.String())

	template, _, _ := strings.Cut(path, "?")
	documented := s.doc.response(template, method, status)
	require.NotNil(s.t, documented, "%s %s answered %d, which is not documented", method, template, status)
	content := documented["content"].(map[string]any)
	kind, _, _ := strings.Cut(w.Header().Get("Content-Type"), ";")
	require.Contains(s.t, content, kind)
	if kind != "application/json" {
		return nil
	}
	var value map[string]any
	require.NoError(s.t, json.Unmarshal(w.Body.Bytes(), &value))
	require.NoError(s.t, s.doc.check("body", content[kind].(map[string]any)["schema"], value))
	return value
}

// operate is call for what is answered with a stream: it gives its lines.
func (s *site) operate(method, path, name, body string) []map[string]any {
	s.t.Helper()
	w := s.do(method, strings.Replace(path, "{name}", name, 1), body)
	require.Equal(s.t, 200, w.Code, w.Body.String())
	require.Equal(s.t, operationType, w.Header().Get("Content-Type"))
	template, _, _ := strings.Cut(path, "?")
	content := s.doc.response(template, method, 200)["content"].(map[string]any)
	var lines []map[string]any
	for decoder := json.NewDecoder(w.Body); decoder.More(); {
		var line map[string]any
		require.NoError(s.t, decoder.Decode(&line))
		require.NoError(s.t, s.doc.check("line", content[operationType].(map[string]any)["schema"], line))
		lines = append(lines, line)
	}
	return lines
}

func (s *site) do(method, target, body string, edit ...func(*http.Request)) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	for _, e := range edit {
		e(r)
	}
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	return w
}

// The routes and the document list the same operations.
func TestEveryRouteIsDocumentedAndTheOtherWayRound(t *testing.T) {
	handled := map[string][]string{}
	for _, r := range (&handler{}).routes(http.NotFoundHandler()) {
		for method := range r.methods {
			handled[r.path] = append(handled[r.path], strings.ToLower(method))
		}
		slices.Sort(handled[r.path])
	}
	documented := map[string][]string{}
	for path, item := range readDocument(t)["paths"].(map[string]any) {
		methods := slices.Sorted(maps.Keys(item.(map[string]any)))
		documented[path] = slices.DeleteFunc(methods, func(key string) bool { return key == "parameters" })
	}
	require.Equal(t, handled, documented)
}

// The two routes that a probe asks are the ones that are documented to want no
// user.
func TestTheOpenRoutesAreDocumentedSo(t *testing.T) {
	doc := readDocument(t)
	for _, r := range (&handler{}).routes(http.NotFoundHandler()) {
		for method := range r.methods {
			operation := doc.resolve(doc["paths"].(map[string]any)[r.path].(map[string]any)[strings.ToLower(method)])
			security, stated := operation["security"].([]any)
			require.Equal(t, r.kind == open, stated && len(security) == 0, r.path)
			require.Equal(t, r.kind != open, doc.response(r.path, method, 401) != nil, r.path)
		}
	}
}

// The documented fields of a declaration are those of the struct.
func TestADeclarationIsDocumentedWhole(t *testing.T) {
	doc := readDocument(t)
	full := Declaration{TTLDefault: 1, TTLMin: 1, TTLMax: 1, MaxMessages: 1, MaxBytes: 1, MaxDeliveries: 1, MaxUnsettled: 1}
	text, err := json.Marshal(full)
	require.NoError(t, err)
	var value map[string]any
	require.NoError(t, json.Unmarshal(text, &value))
	schema := map[string]any{"$ref": "#/components/schemas/Declaration"}
	require.NoError(t, doc.check("declaration", schema, value))
	require.Len(t, value, len(doc.resolve(schema)["properties"].(map[string]any)))
}
