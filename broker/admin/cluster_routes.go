package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
)

// maxOrder is the most bytes of what a cluster is told in a request's body.
const maxOrder = 4 << 10

func (h *handler) showCluster(w http.ResponseWriter, r *http.Request) {
	cluster, err := h.broker.Cluster()
	var status ClusterStatus
	if err == nil {
		status, err = cluster.Status(r.Context())
	}
	if err != nil {
		h.failWith(w, r, err)
		return
	}
	answer(w, http.StatusOK, status.whole())
}

// whole makes lists without elements of those that are null.
func (s ClusterStatus) whole() ClusterStatus {
	s.Problems, s.Nodes, s.Shards = list(s.Problems), list(s.Nodes), list(s.Shards)
	for i := range s.Shards {
		s.Shards[i].Replicas = list(s.Shards[i].Replicas)
	}
	return s
}

func list[T any](l []T) []T {
	if l == nil {
		return []T{}
	}
	return l
}

func (h *handler) addNode(w http.ResponseWriter, r *http.Request) {
	var order struct {
		Address string `json:"address"`
	}
	if err := readOrder(w, r, &order); err != nil {
		fail(w, http.StatusBadRequest, err.Error())
		return
	}
	h.operate(w, r, func(ctx context.Context, c Cluster, report func(Progress)) (any, error) {
		return nil, c.Add(ctx, r.PathValue("name"), order.Address, report)
	})
}

func (h *handler) removeNode(w http.ResponseWriter, r *http.Request) {
	force, err := truth(r.URL.Query().Get("force"))
	if err != nil {
		fail(w, http.StatusBadRequest, "force wants true or false")
		return
	}
	h.operate(w, r, func(ctx context.Context, c Cluster, report func(Progress)) (any, error) {
		return nil, c.Remove(ctx, r.PathValue("name"), force, report)
	})
}

func truth(text string) (bool, error) {
	if text == "" {
		return false, nil
	}
	return strconv.ParseBool(text)
}

func (h *handler) drainNode(w http.ResponseWriter, r *http.Request) {
	h.operate(w, r, func(ctx context.Context, c Cluster, report func(Progress)) (any, error) {
		return nil, c.Drain(ctx, r.PathValue("name"), report)
	})
}

func (h *handler) rebalance(w http.ResponseWriter, r *http.Request) {
	h.operate(w, r, func(ctx context.Context, c Cluster, report func(Progress)) (any, error) {
		return nil, c.Rebalance(ctx, report)
	})
}

func (h *handler) verify(w http.ResponseWriter, r *http.Request) {
	h.operate(w, r, func(ctx context.Context, c Cluster, report func(Progress)) (any, error) {
		v, err := c.Verify(ctx, report)
		v.Shards = list(v.Shards)
		for i := range v.Shards {
			v.Shards[i].Replicas = list(v.Shards[i].Replicas)
		}
		return v, err
	})
}

func (h *handler) transferShard(w http.ResponseWriter, r *http.Request) {
	var order struct {
		To string `json:"to"`
	}
	err := readOrder(w, r, &order)
	shard, wrong := strconv.ParseUint(r.PathValue("name"), 10, 16)
	if wrong != nil {
		err = fmt.Errorf("%q is no number of a shard", r.PathValue("name"))
	}
	if err != nil {
		fail(w, http.StatusBadRequest, err.Error())
		return
	}
	cluster, err := h.broker.Cluster()
	if err == nil {
		err = cluster.Transfer(r.Context(), uint16(shard), order.To)
	}
	if err != nil {
		h.failWith(w, r, err)
		return
	}
	answer(w, http.StatusOK, status{"ok"})
}

// readOrder reads the body of a request; none at all is {}.
func readOrder(w http.ResponseWriter, r *http.Request, order any) error {
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxOrder))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(order); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("the body can't be read: %w", err)
	}
	return nil
}
