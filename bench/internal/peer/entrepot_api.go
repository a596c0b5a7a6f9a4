package peer

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"entrepot/bench/internal/load"
)

// api is Entrepot's HTTP interface, as far as the bench needs it.
type api struct{ client *http.Client }

func newAPI() api {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = clusterDeclarers
	return api{&http.Client{Transport: transport}}
}

// declare makes queues at the node that listens there, some at a time.
func (a api) declare(ctx context.Context, hostPort string, queues []string, parallel int) error {
	return load.Each(ctx, queues, parallel, func(ctx context.Context, queue string) error {
		_, err := a.queue(ctx, hostPort, http.MethodPut, queue, "{}")
		return err
	})
}

// queueInfo is what the bench wants to know of a queue.
type queueInfo struct {
	Messages *uint64 `json:"messages"`
	Shard    uint16  `json:"shard"`
}

func (a api) show(ctx context.Context, hostPort, queue string) (info queueInfo, err error) {
	body, err := a.queue(ctx, hostPort, http.MethodGet, queue, "")
	if err != nil {
		return info, err
	}
	if err := json.Unmarshal(body, &info); err != nil {
		return info, fmt.Errorf("queue %s: %w", queue, err)
	}
	if info.Messages == nil {
		return info, fmt.Errorf("queue %s: no messages in %s", queue, body)
	}
	return info, nil
}

// queue makes one request about one queue.
func (a api) queue(ctx context.Context, hostPort, method, queue, body string) ([]byte, error) {
	return a.request(ctx, method, "http://"+hostPort+"/api/v1/queues/"+url.PathEscape(queue), body)
}

func (a api) request(ctx context.Context, method, target, body string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, method, target, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := a.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	if response.StatusCode/100 != 2 {
		return nil, fmt.Errorf("%s %s: %s: %s", method, target, response.Status, answer)
	}
	return answer, nil
}
