package peer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"entrepot/bench/internal/load"
	"entrepot/bench/internal/load/goamqp"
	"entrepot/bench/internal/load/rawamqp"
	"entrepot/broker/brokerproc"
)

// Entrepot is our own broker, as the binary that is shipped.
type Entrepot struct {
	name    string
	options brokerproc.Options
	process *brokerproc.Process
	log     *os.File
	dir     string
	http    *http.Client
}

// NewEntrepot describes a broker of the given binary and durability that keeps
// everything under dir. An empty binary is built from this module.
func NewEntrepot(name, binary, durability, dir string) *Entrepot {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = declarers
	return &Entrepot{
		name:    name,
		dir:     dir,
		options: brokerproc.Options{Binary: binary, Durability: durability},
		http:    &http.Client{Transport: transport},
	}
}

// Name is the peer's name.
func (e *Entrepot) Name() string { return e.name }

// Install builds the binary, if none was given.
func (e *Entrepot) Install(ctx context.Context) (string, error) {
	if e.options.Binary == "" {
		root, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}").Output()
		if err != nil {
			return "", fmt.Errorf("find the module: %w", err)
		}
		if err := os.MkdirAll(e.dir+".bin", 0o700); err != nil {
			return "", err
		}
		if e.options.Binary, err = brokerproc.Build(ctx, strings.TrimSpace(string(root)), e.dir+".bin"); err != nil {
			return "", err
		}
	}
	out, err := exec.CommandContext(ctx, e.options.Binary, "version").Output()
	if err != nil {
		return "", fmt.Errorf("%s version: %w", e.options.Binary, err)
	}
	version, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	return version + ", durability " + e.options.Durability, nil
}

// DataDir is the broker's --data.
func (e *Entrepot) DataDir() string { return filepath.Join(e.dir, "data") }

// LogFile is the broker's.
func (e *Entrepot) LogFile() string { return filepath.Join(e.dir, "log") }

// Start launches a broker on an empty store.
func (e *Entrepot) Start(ctx context.Context) error {
	if err := emptyDir(e.dir); err != nil {
		return err
	}
	e.options.DataDir = e.DataDir()
	for _, address := range []*string{&e.options.AMQP, &e.options.HTTP} {
		free, err := brokerproc.FreeAddress()
		if err != nil {
			return err
		}
		*address = free
	}
	if err := e.Launch(ctx); err != nil {
		return err
	}
	if err := e.process.WaitReady(ctx); err != nil {
		return errors.Join(err, e.Stop())
	}
	return nil
}

// Launch starts the broker over what is stored. Its log grows in dir.
func (e *Entrepot) Launch(context.Context) error {
	log, err := os.OpenFile(e.LogFile(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	e.options.Log, e.log = log, log
	if e.process, err = brokerproc.Launch(e.options); err != nil {
		return errors.Join(err, log.Close())
	}
	return nil
}

// Kill is SIGKILL.
func (e *Entrepot) Kill() {
	e.process.Kill()
	_ = e.log.Close()
}

// stopLimit is how long the broker may take to end after SIGTERM: it promises 10 s.
const stopLimit = 10 * time.Second

// Stop ends the broker in order; it is an error if that fails or takes too long.
func (e *Entrepot) Stop() error {
	return errors.Join(e.process.Terminate(stopLimit), e.log.Close())
}

// Wipe removes the store and the log.
func (e *Entrepot) Wipe() error { return os.RemoveAll(e.dir) }

// PIDs is the one process.
func (e *Entrepot) PIDs() []int { return []int{e.process.PID()} }

// NeedsDeclare is false: the built-in policy makes a queue on first use.
func (e *Entrepot) NeedsDeclare() bool { return false }

// Declare uses the admin interface.
func (e *Entrepot) Declare(ctx context.Context, queues []string) error {
	return load.Each(ctx, queues, declarers, func(ctx context.Context, queue string) error {
		_, err := e.queue(ctx, http.MethodPut, queue, "{}")
		return err
	})
}

// Depth is the number of messages in the queue, those with a consumer included.
func (e *Entrepot) Depth(ctx context.Context, queue string) (uint64, error) {
	body, err := e.queue(ctx, http.MethodGet, queue, "")
	if err != nil {
		return 0, err
	}
	var answer struct {
		Messages *uint64 `json:"messages"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return 0, fmt.Errorf("queue %s: %w", queue, err)
	}
	if answer.Messages == nil {
		return 0, fmt.Errorf("queue %s: no messages in %s", queue, body)
	}
	return *answer.Messages, nil
}

// queue makes one request about one queue.
func (e *Entrepot) queue(ctx context.Context, method, queue, body string) ([]byte, error) {
	target := "http://" + e.options.HTTP + "/api/v1/queues/" + url.PathEscape(queue)
	request, err := http.NewRequestWithContext(ctx, method, target, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := e.http.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	if response.StatusCode/100 != 2 {
		return nil, fmt.Errorf("%s %s: %s: %s", method, queue, response.Status, answer)
	}
	return answer, nil
}

// Client speaks AMQP 1.0.
func (e *Entrepot) Client(kind ClientKind) (load.Client, error) {
	address := func(queue string) string { return queue }
	if kind == GoAMQP {
		return &goamqp.Client{URL: "amqp://" + e.options.AMQP, Address: address}, nil
	}
	return &rawamqp.Client{HostPort: e.options.AMQP, Address: address}, nil
}
