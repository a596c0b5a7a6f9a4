// Package adminclient is what "entrepot queue" says to a broker's HTTP side.
package adminclient

import (
	"bytes"
	"context"
	"encoding/json"
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
	return &Client{base: *base, user: user, password: password, http: &http.Client{Transport: transport, Timeout: requestTimeout}}, nil
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

// queuePath encodes a name as one segment. PathEscape leaves dots alone, and
// "." and ".." would then be taken for steps.
func queuePath(name string) string {
	segment := url.PathEscape(name)
	if name == "." || name == ".." {
		segment = strings.ReplaceAll(name, ".", "%2E")
	}
	return "/api/v1/queues/" + segment
}

// do sends a request and reads the answer into out.
func (c *Client) do(ctx context.Context, method, target string, in, out any) error {
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, c.base.Scheme+"://"+c.base.Host+target, body)
	if err != nil {
		return err
	}
	if c.user != "" {
		request.SetBasicAuth(c.user, c.password)
	}
	response, err := c.http.Do(request)
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return console.WithCode(console.ExitUnreachable, err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return console.WithCode(console.ExitUnreachable, err)
	}
	if response.StatusCode >= http.StatusMultipleChoices {
		return failure(response, text)
	}
	return json.Unmarshal(text, out)
}

// failure is the broker's own sentence with the exit code of its status.
func failure(response *http.Response, text []byte) error {
	var said struct {
		Error string `json:"error"`
	}
	if json.Unmarshal(text, &said) != nil || said.Error == "" {
		said.Error = response.Status
	}
	code := console.ExitFailed
	switch response.StatusCode {
	case http.StatusNotFound:
		code = console.ExitNotFound
	case http.StatusUnauthorized, http.StatusServiceUnavailable:
		code = console.ExitUnreachable
	case http.StatusBadRequest:
		code = console.ExitUsage
	}
	return console.WithCode(code, fmt.Errorf("%s", said.Error))
}
