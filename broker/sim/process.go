package sim

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync/atomic"
	"time"

	"entrepot/broker"
	"entrepot/cluster"
)

// process is one life of a broker on a machine. When the machine crashes it goes on as
// a ghost, without a network and on a disk that nobody will see, until it has ended.
type process struct {
	machine *machine
	broker  *broker.Broker
	ctx     context.Context
	cancel  context.CancelFunc
	cut     atomic.Bool   // it has no network any more
	leave   chan struct{} // closed by end
	left    atomic.Bool
	serving atomic.Bool   // broker is set, and starts or has started
	ended   chan struct{} // closed when all of it has ended
}

func newProcess(m *machine) *process {
	p := &process{machine: m, leave: make(chan struct{}), ended: make(chan struct{})}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	return p
}

// end asks it to end.
func (p *process) end() {
	if p.left.CompareAndSwap(false, true) {
		close(p.leave)
		p.cancel()
	}
}

// shutdownTime is what an operator gives a broker to stop.
const shutdownTime = 30 * time.Second

// run is the process's main.
func (p *process) run() {
	err := p.serve()
	close(p.ended)
	if !p.left.Load() {
		p.machine.ended(p, err)
	}
}

// serve runs the broker until it is asked to end, or can't go on.
func (p *process) serve() (err error) {
	p.broker, err = broker.NewIn(p.surroundings(), p.machine.config(), p.machine.world.log.With("node", p.machine.id))
	if err != nil {
		return err
	}
	p.serving.Store(true)
	if err := p.broker.Start(p.ctx); err != nil {
		return err
	}
	select {
	case <-p.leave:
	case err = <-p.broker.Fatal():
		p.cut.Store(true) // a process that exits is gone from the network at once
		p.machine.world.net.Crash(p.machine.id)
	}
	ctx, cancel := context.WithTimeout(context.Background(), shutdownTime)
	defer cancel()
	if late := p.broker.Shutdown(ctx); late != nil { // a store that has failed says so again
		p.machine.world.log.Info("sim: shutdown", "machine", p.machine.id, "error", late)
	}
	return err
}

func (p *process) surroundings() broker.Surroundings {
	return broker.Surroundings{
		FS:       p.machine.disk.FS(),
		Stable:   func(shard uint16) cluster.StableStore { return shelf{p.machine.vault, p, shard} },
		Listen:   p.listen,
		Dial:     p.dial,
		Wall:     p.machine.wall,
		FreeDisk: func(string) (uint64, error) { return 1 << 40, nil },
	}
}

var errCut = errors.New("sim: this process has no network any more")

func (p *process) listen(_, address string) (net.Listener, error) {
	if p.cut.Load() {
		return nil, errCut
	}
	return p.machine.world.net.Listen(p.machine.id + strings.TrimPrefix(address, loopback))
}

func (p *process) dial(ctx context.Context, address string) (net.Conn, error) {
	if p.cut.Load() {
		return nil, errCut
	}
	c, err := p.machine.world.net.Dialer(p.machine.id)(ctx, address)
	if err == nil && p.cut.Load() {
		return nil, errors.Join(errCut, c.Close())
	}
	return c, err
}

// ready tells whether it serves every queue.
func (p *process) ready() error {
	if !p.serving.Load() {
		return errors.New("it starts")
	}
	return p.broker.Ready()
}
