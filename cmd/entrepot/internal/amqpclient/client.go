// Package amqpclient is what "entrepot send" and "entrepot receive" do on the
// wire, with github.com/Azure/go-amqp: any AMQP 1.0 broker would understand it.
package amqpclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"github.com/Azure/go-amqp"

	"entrepot/cmd/entrepot/internal/console"
)

// dialTimeout bounds connecting and logging in.
const dialTimeout = 10 * time.Second

// closeTimeout is how long a broker may take to answer a farewell.
const closeTimeout = 2 * time.Second

// Target is a broker and who wants to talk to it.
type Target struct {
	URL            string // amqp://[user:password@]host:port; the scheme may be left out
	User, Password string // for a URL without a user
}

// Client is a connection with one session.
type Client struct {
	conn    *amqp.Conn
	session *amqp.Session
}

// Dial connects and logs in. Its errors have the exit code Unreachable.
func Dial(ctx context.Context, t Target) (*Client, error) {
	address, opts, err := t.parse()
	if err != nil {
		return nil, console.WithCode(console.ExitUsage, err)
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	conn, err := amqp.Dial(ctx, address, opts)
	if err != nil {
		return nil, console.WithCode(console.ExitUnreachable, fmt.Errorf("no connection to %s: %w", redact(address), dialError(err)))
	}
	session, err := conn.NewSession(ctx, nil)
	if err != nil {
		_ = conn.Close() // the session's error is the one that tells
		return nil, console.WithCode(console.ExitUnreachable, fmt.Errorf("no session with %s: %w", redact(address), err))
	}
	return &Client{conn: conn, session: session}, nil
}

// dialError says what a connection means that the broker closes at once.
func dialError(err error) error {
	if errors.Is(err, io.EOF) {
		return errors.New("the broker closed the connection")
	}
	return err
}

func (t Target) parse() (string, *amqp.ConnOptions, error) {
	text := t.URL
	if !strings.Contains(text, "://") {
		text = "amqp://" + text
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || (u.Scheme != "amqp" && u.Scheme != "amqps") {
		return "", nil, fmt.Errorf("%q is no amqp://HOST:PORT", redact(t.URL))
	}
	opts := &amqp.ConnOptions{HostName: u.Hostname()}
	switch {
	case u.User != nil: // go-amqp takes it from the URL
	case t.User != "":
		opts.SASLType = amqp.SASLTypePlain(t.User, t.Password)
	default:
		opts.SASLType = amqp.SASLTypeAnonymous()
	}
	return u.String(), opts, nil
}

// redact hides the password of a URL that is about to be shown.
func redact(text string) string {
	if u, err := url.Parse(text); err == nil {
		return u.Redacted()
	}
	return text
}

// Close says farewell, and does not wait long for an answer. What was received
// and not settled goes back to its queue.
func (c *Client) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = c.conn.Close() // nothing is lost by a farewell that fails
	}()
	select {
	case <-done:
	case <-ctx.Done():
	}
}

// linkError gives the error of an attach or of a link its exit code.
func linkError(address string, err error) error {
	var remote *amqp.Error
	if errors.As(err, &remote) {
		err = fmt.Errorf("%s: %s: %s", address, remote.Condition, remote.Description)
		if remote.Condition == amqp.ErrCondNotFound {
			return console.WithCode(console.ExitNotFound, err)
		}
		return err
	}
	return fmt.Errorf("%s: %w", address, err)
}
