// Package adminclient is what "entrepot queue" and "entrepot cluster" say to a
// broker's HTTP side.
package adminclient

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"entrepot/broker/admin"
	"entrepot/cmd/entrepot/internal/console"
)

// Parallel is how many requests a Client keeps connections for.
const Parallel = 64

// requestTimeout is longer than the broker's own, so that its answer is heard.
const requestTimeout = 60 * time.Second

// Client asks one broker. Any goroutine may use it.
type Client struct {
	base           url.URL
	user, password string
	http           *http.Client
	patient        *http.Client // for what takes as long as it takes
}

// New takes HOST:PORT or http://[user:password@]HOST:PORT, and a user for an
// address that names none.
func New(address, user, password string) (*Client, error) {
	if !strings.Contains(address, "://") {
		address = "http://" + address
	}
	base, err := url.Parse(address)
	if err != nil || base.Host == "" || (base.Scheme != "http" && base.Scheme != "https") {
		return nil, console.WithCode(console.ExitUsage, fmt.Errorf("%q is no HOST:PORT and no http://HOST:PORT", address))
	}
	if base.User != nil {
		user = base.User.Username()
		password, _ = base.User.Password()
		base.User = nil
	}
	transport := &http.Transport{MaxIdleConnsPerHost: Parallel, MaxConnsPerHost: Parallel, IdleConnTimeout: time.Minute}
	return &Client{
		base: *base, user: user, password: password,
		http:    &http.Client{Transport: transport, Timeout: requestTimeout},
		patient: &http.Client{Transport: transport},
	}, nil
}

// List gives a page of queues.
func (c *Client) List(ctx context.Context, prefix, after string, limit int) (page admin.Page, err error) {
	query := url.Values{"prefix": {prefix}, "after": {after}, "limit": {strconv.Itoa(limit)}}
	err = c.do(ctx, http.MethodGet, "/api/v1/queues?"+query.Encode(), nil, &page)
	return page, err
}

// Show tells of a queue.
func (c *Client) Show(ctx context.Context, name string) (q admin.Queue, err error) {
	err = c.do(ctx, http.MethodGet, queuePath(name), nil, &q)
	return q, err
}

// Declare creates a queue or changes its declared values.
func (c *Client) Declare(ctx context.Context, name string, d admin.Declaration) (q admin.Queue, err error) {
	err = c.do(ctx, http.MethodPut, queuePath(name), d, &q)
	return q, err
}

// Removed says how many messages went.
type Removed struct {
	Messages uint64 `json:"messages"`
}

// Delete removes a queue with its messages.
func (c *Client) Delete(ctx context.Context, name string) (r Removed, err error) {
	err = c.do(ctx, http.MethodDelete, queuePath(name), nil, &r)
	return r, err
}

// Purge removes the messages that wait in a queue.
func (c *Client) Purge(ctx context.Context, name string) (r Removed, err error) {
	err = c.do(ctx, http.MethodPost, queuePath(name)+"/purge", nil, &r)
	return r, err
}

func queuePath(name string) string { return "/api/v1/queues/" + segment(name) }

// segment encodes a name as one segment of a path. PathEscape leaves dots
// alone, and "." and ".." would then be taken for steps.
func segment(name string) string {
	if name == "." || name == ".." {
		return strings.ReplaceAll(name, ".", "%2E")
	}
	return url.PathEscape(name)
}

// do sends a request and reads the answer into out.
func (c *Client) do(ctx context.Context, method, target string, in, out any) error {
	response, err := c.send(ctx, c.http, method, target, in)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return console.WithCode(console.ExitUnreachable, err)
	}
	if response.StatusCode >= http.StatusMultipleChoices {
		return failure(response.StatusCode, text)
	}
	return json.Unmarshal(text, out)
}

// send sends a request with in, if it is not nil, as JSON.
func (c *Client) send(ctx context.Context, by *http.Client, method, target string, in any) (*http.Response, error) {
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, c.base.Scheme+"://"+c.base.Host+target, body)
	if err != nil {
		return nil, err
	}
	if c.user != "" {
		request.SetBasicAuth(c.user, c.password)
	}
	response, err := by.Do(request)
	switch {
	case err == nil:
		return response, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	}
	return nil, console.WithCode(console.ExitUnreachable, err)
}

// failure is the broker's own sentence with the exit code of its status.
func failure(status int, text []byte) error {
	var said struct {
		Error string `json:"error"`
	}
	if json.Unmarshal(text, &said) != nil || said.Error == "" {
		said.Error = http.StatusText(status)
	}
	return console.WithCode(exitCode(status), errors.New(said.Error))
}

// exitCode is that of a command whose request was answered with a status.
func exitCode(status int) int {
	switch status {
	case http.StatusNotFound:
		return console.ExitNotFound
	case http.StatusUnauthorized, http.StatusServiceUnavailable:
		return console.ExitUnreachable
	case http.StatusBadRequest:
		return console.ExitUsage
	}
	return console.ExitFailed
}
