package admin

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
)

// failure is the body of every answer that is no success.
type failure struct {
	Error string `json:"error"` // a sentence for people
}

// answer writes a body as JSON.
func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store") // all of it is true now and not later
	w.WriteHeader(status)
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(body) // fails only if the client has gone
}

// fail writes an error.
func fail(w http.ResponseWriter, status int, text string) { answer(w, status, failure{text}) }

// statuses says which kind of error is which status.
var statuses = []struct {
	kind   error
	status int
}{
	{ErrNotFound, http.StatusNotFound},
	{ErrInvalid, http.StatusBadRequest},
	{ErrForbidden, http.StatusForbidden},
	{ErrConflict, http.StatusConflict},
	{ErrUnavailable, http.StatusServiceUnavailable},
	{context.DeadlineExceeded, http.StatusServiceUnavailable},
	{context.Canceled, http.StatusServiceUnavailable},
}

// failWith writes what a Broker answered with.
func (h *handler) failWith(w http.ResponseWriter, r *http.Request, err error) {
	fail(w, h.statusOf(r, err), err.Error())
}

// statusOf is the status for what a Broker answered with. What is of no known
// kind is a fault of the broker: the log gets the whole of it.
func (h *handler) statusOf(r *http.Request, err error) int {
	for _, s := range statuses {
		if errors.Is(err, s.kind) {
			return s.status
		}
	}
	h.logger.Error("admin request failed", "method", r.Method, "path", r.URL.Path, "error", err)
	return http.StatusInternalServerError
}
