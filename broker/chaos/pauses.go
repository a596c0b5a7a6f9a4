package main

import (
	"slices"
	"sync"
	"time"
)

// Pause is a time in which a queue had no traffic of a kind.
type Pause struct {
	Queue   string  `json:"queue"`
	What    string  `json:"what"` // "accepted" or "delivered"
	Seconds float64 `json:"seconds"`
	At      float64 `json:"at"` // its end, seconds after the start
	During  string  `json:"during"`
}

// pauses watches the traffic of some queues. Safe for concurrent use.
type pauses struct {
	start time.Time

	mu      sync.Mutex
	during  string
	last    map[stream]time.Time
	longest map[stream]Pause
	byFault map[string]Pause // the longest one of the watched queue, by kind of fault
	kind    string
}

type stream struct{ queue, what string }

func newPauses() *pauses {
	return &pauses{
		start: time.Now(), during: "nothing", kind: "nothing",
		last: map[stream]time.Time{}, longest: map[stream]Pause{}, byFault: map[string]Pause{},
	}
}

// fault says what goes wrong from now on, until the next one.
func (p *pauses) fault(kind, text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.kind, p.during = kind, text
}

// seen makes the func that is told of a queue's traffic.
func (p *pauses) seen(queue, what string) func(time.Time) {
	s := stream{queue, what}
	return func(at time.Time) {
		p.mu.Lock()
		defer p.mu.Unlock()
		if last, ok := p.last[s]; ok {
			p.note(s, at.Sub(last), at)
		}
		if at.After(p.last[s]) {
			p.last[s] = at
		}
	}
}

func (p *pauses) note(s stream, length time.Duration, end time.Time) {
	pause := Pause{s.queue, s.what, length.Seconds(), end.Sub(p.start).Seconds(), p.during}
	if pause.Seconds > p.longest[s].Seconds {
		p.longest[s] = pause
	}
	if s.queue == watched && pause.Seconds > p.byFault[p.kind].Seconds {
		p.byFault[p.kind] = pause
	}
}

// since tells whether a queue has had traffic after t.
func (p *pauses) since(queue, what string, t time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.last[stream{queue, what}].After(t)
}

// worst are the longest pause of every queue and kind of traffic, longest first.
func (p *pauses) worst() []Pause {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all []Pause
	for _, pause := range p.longest {
		all = append(all, pause)
	}
	slices.SortFunc(all, func(a, b Pause) int { return int(b.Seconds*1e6) - int(a.Seconds*1e6) })
	return all
}

// faults are the longest pause of the watched queue that ended while a kind of fault was there, or after
// it before the next one.
func (p *pauses) faults() map[string]Pause {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := map[string]Pause{}
	for kind, pause := range p.byFault {
		all[kind] = pause
	}
	return all
}
