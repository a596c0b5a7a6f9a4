package admin

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"sync"
	"time"
)

// What takes long is answered as a stream of JSON objects, a line each:
//
//	{"progress": {"step": "...", "done": 3, "total": 9}}     any number of them
//	{"done": true, "result": ...}                            the last one, or:
//	{"done": true, "error": "...", "status": 409}
//
// The status of the response is that of an error which comes before anything
// else; behind the first line it is in the last. A stream that ends without a
// last line was cut off, and nobody knows.

// operationType is the media type of such a stream.
const operationType = "application/x-ndjson"

// stillAlive is how often a line is written although nothing is new, so that
// those between know that the connection is in use. Also how long a client may
// take to read one.
const stillAlive = 10 * time.Second

// event is a line of the stream.
type event struct {
	Progress *Progress `json:"progress,omitempty"`
	Done     bool      `json:"done,omitempty"`
	Result   any       `json:"result,omitempty"`
	Error    string    `json:"error,omitempty"`
	Status   int       `json:"status,omitempty"`
}

// operate does something that takes long. It ends when the client hangs up.
func (h *handler) operate(w http.ResponseWriter, r *http.Request, do func(context.Context, Cluster, func(Progress)) (any, error)) {
	cluster, err := h.broker.Cluster()
	if err != nil {
		h.failWith(w, r, err)
		return
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	s := &stream{to: w, control: http.NewResponseController(w), hungUp: cancel}
	// The server's time for a whole request is not enough for this one.
	_ = s.control.SetReadDeadline(time.Time{})
	defer s.every(stillAlive)()

	result, err := do(ctx, cluster, func(p Progress) { s.write(event{Progress: &p}) })
	switch {
	case err == nil:
		s.write(event{Done: true, Result: result})
	case s.begun():
		s.write(event{Done: true, Error: err.Error(), Status: h.statusOf(r, err)})
	default:
		h.failWith(w, r, err)
	}
}

// stream writes events. It is written to by the operation, and by a timer.
type stream struct {
	control *http.ResponseController
	hungUp  func() // called when nobody reads any more

	mu      sync.Mutex
	to      http.ResponseWriter
	started bool  // the status of the response is out
	last    event // the line that was written last
}

// begun tells whether the status of the response is out.
func (s *stream) begun() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.started
}

func (s *stream) write(e event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.put(e)
}

// again writes the last line once more, if there is one and it is not the end.
func (s *stream) again() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.started && !s.last.Done {
		s.put(s.last)
	}
}

// put writes a line; mu is held.
func (s *stream) put(e event) {
	if !s.started {
		s.to.Header().Set("Content-Type", operationType)
		s.to.Header().Set("Cache-Control", "no-store")
	}
	s.started, s.last = true, e
	_ = s.control.SetWriteDeadline(time.Now().Add(2 * stillAlive))
	encoder := json.NewEncoder(s.to)
	encoder.SetEscapeHTML(false)
	if errors.Join(encoder.Encode(e), s.control.Flush()) != nil {
		s.hungUp()
	}
}

// every repeats the last line until the function it gives is called, which
// returns when no line is being written.
func (s *stream) every(span time.Duration) (stop func()) {
	ticker := time.NewTicker(span)
	quit, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-ticker.C:
				s.again()
			case <-quit:
				ticker.Stop()
				return
			}
		}
	}()
	return func() { close(quit); <-ended }
}
