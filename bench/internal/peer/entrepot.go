package peer

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"entrepot/bench/internal/load"
	"entrepot/broker/brokerproc"
)

// Entrepot is our own broker, as the binary that is shipped.
type Entrepot struct {
	build   entrepotBuild
	name    string
	options brokerproc.Options
	process *brokerproc.Process
	log     *os.File
	dir     string
	api     api
}

// NewEntrepot describes a broker of the given binary and durability that keeps
// everything under dir. An empty binary is built from this module.
func NewEntrepot(name, binary, durability, dir string) *Entrepot {
	return &Entrepot{
		build:   entrepotBuild{binary: binary},
		name:    name,
		dir:     dir,
		options: brokerproc.Options{Durability: durability},
		api:     newAPI(),
	}
}

// Name is the peer's name.
func (e *Entrepot) Name() string { return e.name }

// Install builds the binary, if none was given.
func (e *Entrepot) Install(ctx context.Context) (string, error) {
	version, err := e.build.install(ctx, e.dir)
	e.options.Binary = e.build.binary
	return version + ", durability " + e.options.Durability, err
}

// entrepotBuild is the binary under test.
type entrepotBuild struct{ binary string }

// install builds the binary beside dir, if none was given, and tells its version.
func (b *entrepotBuild) install(ctx context.Context, dir string) (string, error) {
	if b.binary == "" {
		root, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}").Output()
		if err != nil {
			return "", fmt.Errorf("find the module: %w", err)
		}
		if err := os.MkdirAll(dir+".bin", 0o700); err != nil {
			return "", err
		}
		if b.binary, err = brokerproc.Build(ctx, strings.TrimSpace(string(root)), dir+".bin"); err != nil {
			return "", err
		}
	}
	out, err := exec.CommandContext(ctx, b.binary, "version").Output()
	if err != nil {
		return "", fmt.Errorf("%s version: %w", b.binary, err)
	}
	version, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	return version, nil
}

// DataDir is the broker's --data.
func (e *Entrepot) DataDir() string { return filepath.Join(e.dir, "data") }

// LogFiles is the broker's one.
func (e *Entrepot) LogFiles() []string { return []string{filepath.Join(e.dir, "log")} }

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
	log, err := os.OpenFile(e.LogFiles()[0], os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
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
	return e.api.declare(ctx, e.options.HTTP, queues, declarers)
}

// Depth is the number of messages in the queue, those with a consumer included.
func (e *Entrepot) Depth(ctx context.Context, queue string) (uint64, error) {
	info, err := e.api.show(ctx, e.options.HTTP, queue)
	if err != nil {
		return 0, err
	}
	return *info.Messages, nil
}

// Client speaks AMQP 1.0.
func (e *Entrepot) Client(kind ClientKind) (load.Client, error) {
	return entrepotClient(e.options.AMQP, kind), nil
}
