package admin

import (
	"context"
	_ "embed"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"entrepot/broker/config"
)

// openAPI describes every route below.
//
//go:embed openapi.yaml
var openAPI []byte

// requestTimeout is how long a change may take to become durable before the
// client is told that it does not know.
const requestTimeout = 30 * time.Second

// handler answers the requests.
type handler struct {
	broker Broker
	users  *config.Authenticator
	logger *slog.Logger
	crash  func(reason string) // ends the process
}

// A route is one path and what its methods do.
type route struct {
	path    string
	kind    routeKind
	methods map[string]http.HandlerFunc
}

// A routeKind tells which routes differ from the others.
type routeKind int

const (
	plain routeKind = iota
	open            // also without a user: what a probe asks
	long            // takes as long as it takes, and tells how far it is
)

// routes is the whole of the interface. openapi.yaml lists the same.
func (h *handler) routes(metrics http.Handler) []route {
	return []route{
		{"/healthz", open, methods{"GET": h.health}},
		{"/readyz", open, methods{"GET": h.ready}},
		{"/metrics", plain, methods{"GET": metrics.ServeHTTP}},
		{"/api/v1/openapi.yaml", plain, methods{"GET": h.description}},
		{"/api/v1/queues", plain, methods{"GET": h.listQueues}},
		{"/api/v1/queues/{name}", plain, methods{"GET": h.showQueue, "PUT": h.declareQueue, "DELETE": h.deleteQueue}},
		{"/api/v1/queues/{name}/purge", plain, methods{"POST": h.purgeQueue}},
		{"/api/v1/cluster", plain, methods{"GET": h.showCluster}},
		{"/api/v1/cluster/nodes/{name}", long, methods{"PUT": h.addNode, "DELETE": h.removeNode}},
		{"/api/v1/cluster/nodes/{name}/drain", long, methods{"POST": h.drainNode}},
		{"/api/v1/cluster/shards/{name}/transfer", plain, methods{"POST": h.transferShard}},
		{"/api/v1/cluster/rebalance", long, methods{"POST": h.rebalance}},
		{"/api/v1/cluster/verify", long, methods{"POST": h.verify}},
	}
}

type methods = map[string]http.HandlerFunc

// newHandler makes the handler of everything.
func newHandler(o Options) http.Handler {
	h := &handler{broker: o.Broker, users: o.Users, logger: o.Logger, crash: crash}
	// More scrapes at a time than a few are a mistake and cost only memory.
	metrics := promhttp.HandlerFor(newRegistry(o.Broker, o.Version), promhttp.HandlerOpts{MaxRequestsInFlight: 4})
	var router router
	for _, r := range h.routes(metrics) {
		router = append(router, place{r.path, h.guard(r)})
	}
	// A page of some other site that a user has open must not be able to purge
	// queues on loopback, where nobody needs to log in.
	sameOrigin := http.NewCrossOriginProtection()
	sameOrigin.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fail(w, http.StatusForbidden, "a page of another origin may not change anything here")
	}))
	return sameOrigin.Handler(h.orCrash(router))
}

// guard lets a request through to its method's handler if its user may.
func (h *handler) guard(r route) http.Handler {
	allowed := make([]string, 0, len(r.methods))
	for method := range r.methods {
		allowed = append(allowed, method)
	}
	slices.Sort(allowed)
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if r.kind != open && !h.mayAsk(req) {
			w.Header().Set("WWW-Authenticate", `Basic realm="entrepot", charset="UTF-8"`)
			fail(w, http.StatusUnauthorized, "a user of this broker and the password are wanted (HTTP Basic)")
			return
		}
		method := req.Method
		if method == http.MethodHead {
			method = http.MethodGet
		}
		handle, ok := r.methods[method]
		if !ok {
			w.Header().Set("Allow", strings.Join(allowed, ", "))
			fail(w, http.StatusMethodNotAllowed, req.Method+" is not possible here; possible: "+strings.Join(allowed, ", "))
			return
		}
		if r.kind == long {
			handle(w, req)
			return
		}
		ctx, cancel := context.WithTimeout(req.Context(), requestTimeout)
		defer cancel()
		handle(w, req.WithContext(ctx))
	})
}

// mayAsk: with users configured everybody must be one of them. Without, the
// listener is loopback (Start sees to that) and everybody may.
func (h *handler) mayAsk(r *http.Request) bool {
	if !h.users.Enabled() {
		return true
	}
	name, password, ok := r.BasicAuth()
	return ok && h.users.Verify(name, password)
}

type status struct {
	Status string `json:"status"`
}

func (h *handler) health(w http.ResponseWriter, _ *http.Request) { tell(w, h.broker.Health()) }

func (h *handler) ready(w http.ResponseWriter, _ *http.Request) { tell(w, h.broker.Ready()) }

// tell answers a probe.
func tell(w http.ResponseWriter, err error) {
	if err != nil {
		fail(w, http.StatusServiceUnavailable, err.Error())
		return
	}
	answer(w, http.StatusOK, status{"ok"})
}

func (h *handler) description(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/yaml")
	_, _ = w.Write(openAPI) // fails only if the client has gone
}

// orCrash ends the process when a handler panics. net/http would recover and
// go on, with whatever locks the broker held at that moment still held; the
// store, on the other hand, is made to be opened again after a crash.
func (h *handler) orCrash(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if p := recover(); p != nil && p != http.ErrAbortHandler {
				h.crash(fmt.Sprintf("%s %s: %v\n%s", r.Method, r.URL.Path, p, debug.Stack()))
			}
		}()
		next.ServeHTTP(w, r)
	})
}

// crash panics where nobody recovers.
func crash(reason string) {
	go func() { panic(reason) }()
	select {}
}
