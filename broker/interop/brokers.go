package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/crypto/bcrypt"

	"entrepot/broker/brokerproc"
)

const (
	user     = "interop"
	password = "correct horse, battery: staple"
	never    = "interop-never/address"
	// stopLimit is what a broker promises to need after SIGTERM.
	stopLimit = 10 * time.Second
)

// brokers are the two that the client suites talk to, and how to reach them.
type brokers struct {
	config
	open, withUsers *brokerproc.Process
}

// startBrokers starts both, or none where another broker is to be tested.
func startBrokers(ctx context.Context, s settings, dir string) (*brokers, error) {
	b := &brokers{config: config{Addr: s.addr, Prefix: s.prefix, Only: s.only, Binary: s.binary}}
	if s.addr != "" {
		return b, nil
	}
	if b.Binary == "" {
		binary, err := brokerproc.Build(ctx, ".", dir)
		if err != nil {
			return nil, err
		}
		b.Binary = binary
	}
	if err := b.startOpen(ctx, dir); err != nil {
		return nil, err
	}
	if err := b.startWithUsers(ctx, dir); err != nil {
		b.stop()
		return nil, err
	}
	return b, nil
}

func (b *brokers) startOpen(ctx context.Context, dir string) (err error) {
	b.open, err = start(ctx, b.Binary, dir, "open", "", `
policies:
  - pattern: "interop-never/#"
    create: never
`)
	if err == nil {
		b.Addr, b.Never = b.open.AMQP, never
	}
	return err
}

func (b *brokers) startWithUsers(ctx context.Context, dir string) error {
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		return err
	}
	addr, err := brokerproc.FreeAddress()
	if err != nil {
		return err
	}
	b.withUsers, err = start(ctx, b.Binary, dir, "users", addr, fmt.Sprintf(`
amqp:
  - address: %q
    idle_timeout: 1s
users:
  - name: %q
    password_hash: %q
`, addr, user, hash))
	b.AuthAddr, b.User, b.Password = addr, user, password
	return err
}

// start starts one broker with a log of its own. inConfig is the address that
// the configuration itself names, if it does.
func start(ctx context.Context, binary, dir, name, inConfig, config string) (*brokerproc.Process, error) {
	log, err := os.Create(filepath.Join(dir, name+".log"))
	if err != nil {
		return nil, err
	}
	defer log.Close() // the process has it by then
	p, err := brokerproc.Start(ctx, brokerproc.Options{
		Binary: binary, DataDir: filepath.Join(dir, name), AMQP: inConfig, AMQPInConfig: inConfig != "",
		Config: config, Log: log,
	})
	if err != nil {
		text, _ := os.ReadFile(log.Name())
		return nil, fmt.Errorf("%w\n%s", err, text)
	}
	return p, nil
}

// stop ends both. A broker that does not end well is worth a line, but the
// count of tests stands.
func (b *brokers) stop() {
	var err error
	for _, p := range []*brokerproc.Process{b.open, b.withUsers} {
		if p != nil {
			err = errors.Join(err, p.Terminate(stopLimit))
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "interop: the end of a broker:", err)
	}
}
