package load

import (
	"context"
	"runtime"
	"syscall"
	"time"
)

// Pace calls due with the stamp at which each message was to be sent, rate times
// a second, until due returns false or ctx ends. Late calls catch up at once and
// keep their intended stamp, so a broker that stalls is charged for everything
// that had to wait (no coordinated omission).
//
// time.Sleep wakes up to a millisecond late, more than the latencies in question;
// nanosleep on a thread with the least timer slack is about 10 us late.
func Pace(ctx context.Context, rate float64, due func(stamp int64) bool) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	setTimerSlack(1)
	defer setTimerSlack(0)

	interval := float64(time.Second) / rate
	start := Now()
	for i := 0; ctx.Err() == nil; i++ {
		stamp := start + int64(float64(i)*interval)
		for wait := stamp - Now(); wait > 0; wait = stamp - Now() {
			nanosleep(wait)
		}
		if !due(stamp) {
			return
		}
	}
}

// nanosleep blocks the thread; a signal (the runtime's preemption) ends it early.
func nanosleep(nanos int64) {
	ts := syscall.NsecToTimespec(nanos)
	_ = syscall.Nanosleep(&ts, nil)
}

// setTimerSlack sets the current thread's slack; 0 gives back the default. Where
// the kernel refuses, the pace is only less even.
func setTimerSlack(nanos uintptr) {
	const prSetTimerSlack = 29
	_, _, _ = syscall.Syscall(syscall.SYS_PRCTL, prSetTimerSlack, nanos, 0)
}
