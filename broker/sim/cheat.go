package sim

import (
	"context"
	"time"

	"github.com/Azure/go-amqp"

	"entrepot/broker/sim/history"
	"entrepot/journal/journaltest"
)

// cheat does what Options.Sabotage asks for. A checker that does not notice is none.
func (w *world) cheat(ctx context.Context) {
	r := w.fork()
	switch w.options.Sabotage {
	case LyingDisks:
		for _, m := range w.machines {
			m.disk.Break(journaltest.ForgetSyncs)
		}
		w.clients.Go(func() {
			if pause(ctx, w.options.Safety/2) {
				trouble{w, r, ctx}.crashAll()
			}
		})
	case SilentThief, Forger:
		w.clients.Go(func() {
			for pause(ctx, time.Second) {
				w.secretly(ctx, pick(r, w.machines), pick(r, w.queues))
			}
		})
	}
}

// secretly takes or sends a message without writing it down.
func (w *world) secretly(ctx context.Context, m *machine, queue string) {
	ctx, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	c, err := w.connect(ctx, m)
	if err != nil {
		return
	}
	defer c.leave()
	if w.options.Sabotage == Forger {
		if s, err := c.session.NewSender(ctx, queue, nil); err == nil {
			_ = s.Send(ctx, amqp.NewMessage(encodeBody(history.ID{Producer: 1 << 30, N: 1}, 0)), nil)
		}
		return
	}
	if r, err := c.session.NewReceiver(ctx, queue, nil); err == nil {
		if msg, err := r.Receive(ctx, nil); err == nil {
			_ = r.AcceptMessage(ctx, msg)
		}
	}
}
