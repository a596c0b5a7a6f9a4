package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// attacks are all.
func attacks() []attack { return append(malformed(), floods()...) }

// floods are attacks with too much, too slowly, or for ever.
func floods() []attack {
	return []attack{
		{"million-empty-frames", false, tinyFrames},
		{"endless-transfers-without-credit", false, transfersWithoutCredit},
		{"endless-message", false, endlessMessage},
		{"half-messages-on-many-links", false, halfMessages},
		{"links-without-end", false, linksWithoutEnd},
		{"sessions-without-end", false, sessionsWithoutEnd},
		{"echo-without-reading", false, echoWithoutReading},
		{"slow-reader", false, slowReader},
		{"slow-writer", false, slowWriter},
		{"half-open", true, halfOpen},
		{"silent-after-open", true, endsAfter(opened())},
		{"close-never-answered", true, closeNeverAnswered},
		{"connection-flood", false, connectionFlood},
	}
}

// tinyFrames: a million frames that say nothing are legal, and must be cheap.
func tinyFrames(ctx context.Context, addr string) error {
	a, err := dial(ctx, addr)
	if err != nil {
		return err
	}
	defer a.Close()
	a.drainAside()
	if _, err := a.Write(opened()); err != nil {
		return err
	}
	a.flood(frame(0), 1_000_000)
	return ctx.Err()
}

// transfersWithoutCredit: a sender that ignores credit loses its link
// [amqp-transport 2.6.7]. What it goes on to send is for nobody.
func transfersWithoutCredit(ctx context.Context, addr string) error {
	a, err := dial(ctx, addr)
	if err != nil {
		return err
	}
	defer a.Close()
	told := make(chan bool, 1)
	go func() { told <- a.hears("amqp:link:transfer-limit-exceeded") }()
	if _, err := a.Write(join(opened(), saysAttach(0, sender, "hostile/no-credit"))); err != nil {
		return err
	}
	for id := range uint32(100_000) {
		if _, err := a.Write(saysTransfer(0, id, no, dataSection(1000))); err != nil {
			break
		}
	}
	_ = a.SetReadDeadline(time.Now().Add(settleTime))
	if !<-told {
		return errors.New("100000 transfers beyond all credit, and no amqp:link:transfer-limit-exceeded")
	}
	return nil
}

// endlessMessage: more=true for ever ends at max-message-size.
func endlessMessage(ctx context.Context, addr string) error {
	a, err := dial(ctx, addr)
	if err != nil {
		return err
	}
	defer a.Close()
	a.drainAside()
	if _, err := a.Write(join(opened(), saysAttach(0, sender, "hostile/endless"))); err != nil {
		return err
	}
	a.flood(saysTransfer(0, 0, yes, make([]byte, 60_000)), 10_000)
	return nil
}

// halfMessages: each of many links holds back the end of a message that is
// nearly as large as it may be: 64 x 15 MiB, which nobody may keep.
func halfMessages(ctx context.Context, addr string) error {
	const links, parts = 64, 250
	a, err := dial(ctx, addr)
	if err != nil {
		return err
	}
	defer a.Close()
	a.drainAside()
	if _, err := a.Write(opened()); err != nil {
		return err
	}
	for handle := range uint32(links) {
		if _, err := a.Write(saysAttach(handle, sender, fmt.Sprint("hostile/half/", handle))); err != nil {
			return nil
		}
	}
	for handle := range uint32(links) {
		a.flood(saysTransfer(handle, handle, yes, make([]byte, 60_000)), parts)
	}
	return nil
}

func linksWithoutEnd(ctx context.Context, addr string) error {
	a, err := dial(ctx, addr)
	if err != nil {
		return err
	}
	defer a.Close()
	a.drainAside()
	if _, err := a.Write(opened()); err != nil {
		return err
	}
	for handle := range uint32(20_000) {
		if _, err := a.Write(saysAttach(handle, recver, fmt.Sprint("hostile/links/", handle%100))); err != nil {
			return nil
		}
	}
	return nil
}

func sessionsWithoutEnd(ctx context.Context, addr string) error {
	a, err := dial(ctx, addr)
	if err != nil {
		return err
	}
	defer a.Close()
	a.drainAside()
	if _, err := a.Write(join([]byte(header), saysOpen())); err != nil {
		return err
	}
	for channel := range 0xffff {
		body := described(begin, list(null, uint32Value(0), uint32Value(1<<30), uint32Value(1<<30)))
		if _, err := a.Write(frame(uint16(channel), body)); err != nil {
			return nil
		}
	}
	return nil
}

// echoWithoutReading asks for answers and never reads them. What waits for the
// attacker must not grow without end.
func echoWithoutReading(ctx context.Context, addr string) error {
	a, err := dial(ctx, addr)
	if err != nil {
		return err
	}
	defer a.Close()
	_ = a.SetWriteDeadline(time.Now().Add(5 * time.Second)) // the broker may stop reading
	if _, err := a.Write(join(opened(), saysAttach(0, recver, "hostile/echo"))); err != nil {
		return err
	}
	a.flood(saysFlow(0, 10, yes), 3_000_000)
	return nil
}

// slowReader asks for a large backlog and reads none of it.
func slowReader(ctx context.Context, addr string) error {
	if err := fill(ctx, addr, "hostile/backlog", 200, 1<<20); err != nil {
		return err
	}
	a, err := dial(ctx, addr)
	if err != nil {
		return err
	}
	defer a.Close()
	if err := a.SetReadBuffer(4096); err != nil {
		return err
	}
	if _, err := a.Write(join(opened(), saysAttach(0, recver, "hostile/backlog"), saysFlow(0, 1000, no))); err != nil {
		return err
	}
	return wait(ctx, 2*time.Second)
}

// slowWriter sends one byte at a time: it holds up only itself.
func slowWriter(ctx context.Context, addr string) error {
	a, err := dial(ctx, addr)
	if err != nil {
		return err
	}
	defer a.Close()
	a.drainAside()
	for _, b := range join(opened(), saysAttach(0, sender, "hostile/slow")) {
		if _, err := a.Write([]byte{b}); err != nil {
			return fmt.Errorf("the broker ended a slow but correct connection: %w", err)
		}
		if err := wait(ctx, 5*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

// halfOpen: connections that never finish their first frame are ended when
// the time for that is over.
func halfOpen(ctx context.Context, addr string) error {
	starts := [][]byte{nil, []byte("AM"), []byte(header), []byte(saslHeader), join([]byte(header), saysOpen()[:5])}
	all, err := each(ctx, addr, 200, func(i int, a *attacker) error {
		_, err := a.Write(starts[i%len(starts)])
		return err
	})
	defer closeAll(all)
	if err != nil {
		return err
	}
	kept := map[string]int{}
	for i, a := range all {
		if a.untilEnd() != nil {
			kept[fmt.Sprintf("%q", starts[i%len(starts)])]++
		}
	}
	if len(kept) > 0 {
		return fmt.Errorf("connections kept, by what they had sent: %v", kept)
	}
	return nil
}

// closeNeverAnswered: the broker says close and waits for the answer, but not
// for ever.
func closeNeverAnswered(ctx context.Context, addr string) error {
	a, err := dial(ctx, addr)
	if err != nil {
		return err
	}
	defer a.Close()
	if _, err := a.Write(join(opened(), saysBegin())); err != nil {
		return err
	}
	return a.untilEnd()
}

// connectionFlood opens many connections at once and leaves them.
func connectionFlood(ctx context.Context, addr string) error {
	all, err := each(ctx, addr, 3000, func(_ int, a *attacker) error {
		_, err := a.Write(opened())
		return err
	})
	closeAll(all)
	return err
}

// wait is time in which an attack goes on.
func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
