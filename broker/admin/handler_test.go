package admin

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/bcrypt"

	"entrepot/broker/config"
)

const (
	queuesPath = "/api/v1/queues"
	queuePath  = "/api/v1/queues/{name}"
	purgePath  = "/api/v1/queues/{name}/purge"
)

func TestProbes(t *testing.T) {
	b := newFake()
	s := newSite(t, b)
	s.call(200, "GET", "/healthz", "", "")
	s.call(200, "GET", "/readyz", "", "")
	b.ready = errors.New("the log is being read")
	s.call(200, "GET", "/healthz", "", "")
	require.Equal(t, "the log is being read", s.call(503, "GET", "/readyz", "", "")["error"])
	b.health = errors.New("an fsync has failed")
	require.Equal(t, "an fsync has failed", s.call(503, "GET", "/healthz", "", "")["error"])
}

func TestALifeOfAQueue(t *testing.T) {
	s := newSite(t, newFake())
	declared := s.call(201, "PUT", queuePath, "orders", `{"ttl_max":"7d","max_bytes":"64KiB","max_messages":5}`)
	require.Equal(t, map[string]any{"ttl_max": "7d", "max_bytes": 65536.0, "max_messages": 5.0}, declared["declared"])
	require.Equal(t, declared, s.call(200, "GET", queuePath, "orders", ""))
	s.call(200, "PUT", queuePath, "orders", `{}`) // again: not created
	s.call(200, "POST", purgePath, "orders", "")
	s.call(200, "DELETE", queuePath, "orders", "")
	s.call(404, "GET", queuePath, "orders", "")
	s.call(404, "DELETE", queuePath, "orders", "")
	s.call(404, "POST", purgePath, "orders", "")
}

// A name is one segment, whatever is in it.
func TestNamesArePercentEncoded(t *testing.T) {
	for encoded, name := range map[string]string{
		"command%2Ft1%2Fd1": "command/t1/d1",
		"a%2Fpurge":         "a/purge",
		"%2F%2Fa%2F":        "//a/",
		"%2F":               "/",
		"%2E%2E":            "..",
		"100%25":            "100%",
		"%25%32%46":         "%2F", // decoded once, not twice
		"a%20b%3Fc%23d":     "a b?c#d",
		"%C3%BC":            "ü",
		"a+b":               "a+b",
	} {
		s := newSite(t, newFake())
		require.Equal(t, name, s.call(201, "PUT", queuePath, encoded, "{}")["name"])
		require.Equal(t, name, s.call(200, "GET", queuePath, encoded, "")["name"])
		s.call(200, "POST", purgePath, encoded, "")
		s.call(200, "DELETE", queuePath, encoded, "")
	}
}

func TestAnUnencodedSlashIsExplained(t *testing.T) {
	w := newSite(t, newFake()).do("GET", "/api/v1/queues/a/b", "")
	require.Equal(t, 404, w.Code)
	require.Contains(t, w.Body.String(), "%2F")
}

func TestThePagesOfAListHoldEachQueueOnce(t *testing.T) {
	names := []string{}
	for i := range 25 {
		names = append(names, fmt.Sprintf("a/%02d", i))
	}
	s := newSite(t, newFake(append(names, "b/1")...))
	var got []string
	query := "?prefix=a/&limit=10"
	for pages := 1; ; pages++ {
		page := s.call(200, "GET", queuesPath+query, "", "")
		for _, q := range page["queues"].([]any) {
			got = append(got, q.(map[string]any)["name"].(string))
		}
		next, more := page["next"].(string)
		if !more {
			require.Equal(t, 3, pages)
			break
		}
		query = "?prefix=a/&limit=10&after=" + next
	}
	require.Equal(t, names, got)
}

func TestAListWithoutQueuesIsAList(t *testing.T) {
	require.Equal(t, []any{}, newSite(t, newFake()).call(200, "GET", queuesPath, "", "")["queues"])
}

func TestTheLimitOfAPageIsChecked(t *testing.T) {
	s := newSite(t, newFake())
	for _, limit := range []string{"0", "-1", "1001", "x"} {
		s.call(400, "GET", queuesPath+"?limit="+limit, "", "")
	}
	s.call(200, "GET", queuesPath+"?limit=1000", "", "")
}

func TestABadDeclarationIsExplained(t *testing.T) {
	s := newSite(t, newFake())
	for body, want := range map[string]string{
		`{"colour":"blue"}`:       `unknown field "colour"`,
		`{"max_messages":"many"}`: "max_messages wants a whole number from 0, not string",
		`{"max_messages":-1}`:     "max_messages wants a whole number from 0, not number -1",
		`{"max_messages":1.5}`:    "max_messages wants a whole number",
		`{"ttl_max":60}`:          `60 is no duration; write it like "250ms"`,
		`{"ttl_max":"soon"}`:      `"soon" is no duration`,
		`{"max_bytes":"much"}`:    `"much" is no size`,
		`[]`:                      "a declaration is an object such as {}, not array",
		`{} {}`:                   "there is something behind the declaration",
		`{`:                       "unexpected EOF",
	} {
		require.Contains(t, s.call(400, "PUT", queuePath, "q", body)["error"], want, body)
	}
	s.call(201, "PUT", queuePath, "q", "") // nothing is {}
}

func TestALongBodyIsCutOff(t *testing.T) {
	s := newSite(t, newFake())
	s.call(413, "PUT", queuePath, "q", `{"colour":"`+strings.Repeat("x", maxDeclaration)+`"}`)
}

func TestTheBrokersErrorsHaveTheirStatus(t *testing.T) {
	b := newFake("q")
	s := newSite(t, b)
	for _, c := range []struct {
		kind   error
		status int
	}{{ErrInvalid, 400}, {ErrForbidden, 403}, {ErrUnavailable, 503}} {
		b.broken = fmt.Errorf("%w: because", c.kind)
		require.Contains(t, s.call(c.status, "PUT", queuePath, "q", "{}")["error"], "because")
	}
	require.Empty(t, s.log.String(), "what the client did wrong is no line in the log")
	b.broken = errors.New("the store is in pieces")
	s.call(500, "GET", queuePath, "q", "")
	s.call(500, "GET", queuesPath, "", "")
	s.call(500, "POST", purgePath, "q", "")
	s.call(500, "DELETE", queuePath, "q", "")
	require.Contains(t, s.log.String(), "the store is in pieces")
}

func TestAWrongMethodNamesTheRightOnes(t *testing.T) {
	s := newSite(t, newFake("q"))
	w := s.do("POST", "/api/v1/queues/q", "")
	require.Equal(t, 405, w.Code)
	require.Equal(t, "DELETE, GET, PUT", w.Header().Get("Allow"))
	require.Equal(t, 405, s.do("GET", "/api/v1/queues/q/purge", "").Code)
	require.Equal(t, 200, s.do("HEAD", "/api/v1/queues/q", "").Code)
	for _, path := range []string{"/", "/api/v1/queues/", "/api/v1/queues//purge", "//healthz", "/api/v1/queues/q/"} {
		require.Equal(t, 404, s.do("GET", "http://host"+path, "").Code, path)
	}
}

// A lock that a panic has left held would stop the broker for good.
func TestAPanicIsNotSwallowed(t *testing.T) {
	var reason string
	h := &handler{crash: func(r string) { reason = r }}
	r := httptest.NewRequest("GET", "/x", nil)
	h.orCrash(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("a bug") })).ServeHTTP(nil, r)
	require.Contains(t, reason, "GET /x: a bug\n")
	require.Contains(t, reason, "TestAPanicIsNotSwallowed", "the stack")

	reason = ""
	h.orCrash(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })).ServeHTTP(nil, r)
	require.Empty(t, reason, "net/http's own way to cut an answer short")
}

func basic(name, password string) func(*http.Request) {
	return func(r *http.Request) { r.SetBasicAuth(name, password) }
}

func TestWithUsersOnlyTheProbesAreOpen(t *testing.T) {
	hash, err := bcrypt.GenerateFromPassword([]byte("apple"), bcrypt.MinCost)
	require.NoError(t, err)
	s := newSite(t, newFake("q"), config.User{Name: "ann", PasswordHash: string(hash)})
	for _, r := range (&handler{}).routes(http.NotFoundHandler()) {
		for method := range r.methods {
			if r.kind == open {
				s.call(200, method, r.path, "q", "")
				continue
			}
			s.call(401, method, r.path, "q", "")
			s.call(401, method, r.path, "q", "", basic("ann", "pear"))
			s.call(401, method, r.path, "q", "", basic("eve", "apple"))
		}
	}
	s.call(200, "GET", queuePath, "q", "", basic("ann", "apple"))
	require.Equal(t, `Basic realm="entrepot", charset="UTF-8"`, s.do("GET", "/metrics", "").Header().Get("WWW-Authenticate"))
}

// A web page that the operator has open in a browser can send a POST to
// loopback without asking anybody.
func TestAPageOfAnotherOriginCanNotPurge(t *testing.T) {
	s := newSite(t, newFake("q"))
	s.call(403, "POST", purgePath, "q", "", func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") })
	s.call(200, "POST", purgePath, "q", "", func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "same-origin") })
}

func TestTheDescriptionIsServed(t *testing.T) {
	s := newSite(t, newFake())
	s.call(200, "GET", "/api/v1/openapi.yaml", "", "")
	require.Equal(t, openAPI, s.do("GET", "/api/v1/openapi.yaml", "").Body.Bytes())
}
