package admin

import (
	"errors"
	"io"
	"net/http"
	"strconv"
)

// Limits of a request.
const (
	defaultPage    = 100
	maxPage        = 1000
	maxDeclaration = 64 << 10 // bytes of a declaration's JSON
)

// removed tells what a delete or a purge has taken away.
type removed struct {
	Messages uint64 `json:"messages"`
}

func (h *handler) listQueues(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	limit, err := pageLimit(query.Get("limit"))
	if err != nil {
		fail(w, http.StatusBadRequest, err.Error())
		return
	}
	page, err := h.broker.Queues(r.Context(), query.Get("prefix"), query.Get("after"), limit)
	if err != nil {
		h.failWith(w, r, err)
		return
	}
	if page.Queues == nil {
		page.Queues = []Queue{} // a list without elements, not null
	}
	answer(w, http.StatusOK, page)
}

func pageLimit(text string) (int, error) {
	if text == "" {
		return defaultPage, nil
	}
	limit, err := strconv.Atoi(text)
	if err != nil || limit < 1 || limit > maxPage {
		return 0, errors.New("limit wants a number from 1 to " + strconv.Itoa(maxPage))
	}
	return limit, nil
}

func (h *handler) showQueue(w http.ResponseWriter, r *http.Request) {
	queue, err := h.broker.Queue(r.Context(), r.PathValue("name"))
	if err != nil {
		h.failWith(w, r, err)
		return
	}
	answer(w, http.StatusOK, queue)
}

func (h *handler) declareQueue(w http.ResponseWriter, r *http.Request) {
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxDeclaration))
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		fail(w, http.StatusRequestEntityTooLarge, "a declaration has at most "+strconv.Itoa(maxDeclaration)+" bytes")
		return
	}
	var declaration Declaration
	if err == nil {
		declaration, err = ParseDeclaration(text)
	}
	if err != nil {
		fail(w, http.StatusBadRequest, err.Error())
		return
	}
	queue, created, err := h.broker.Declare(r.Context(), r.PathValue("name"), declaration)
	switch {
	case err != nil:
		h.failWith(w, r, err)
	case created:
		answer(w, http.StatusCreated, queue)
	default:
		answer(w, http.StatusOK, queue)
	}
}

func (h *handler) deleteQueue(w http.ResponseWriter, r *http.Request) {
	messages, err := h.broker.Delete(r.Context(), r.PathValue("name"))
	if err != nil {
		h.failWith(w, r, err)
		return
	}
	answer(w, http.StatusOK, removed{messages})
}

func (h *handler) purgeQueue(w http.ResponseWriter, r *http.Request) {
	messages, err := h.broker.Purge(r.Context(), r.PathValue("name"))
	if err != nil {
		h.failWith(w, r, err)
		return
	}
	answer(w, http.StatusOK, removed{messages})
}
