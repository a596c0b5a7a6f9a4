package queue

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// AddressKind is what an address is. Topics come later; the number is theirs.
type AddressKind uint8

const (
	KindQueue AddressKind = 0
)

// CreateMode says how an address may come into being.
type CreateMode uint8

const (
	CreateOnUse    CreateMode = 0 // by the first link that names it, or declared
	CreateDeclared CreateMode = 1 // by a declaration only
	CreateNever    CreateMode = 2 // not at all
)

// Policy says what the addresses of a pattern are and may do.
type Policy struct {
	Pattern         Pattern
	Kind            AddressKind
	Create          CreateMode
	Limits          Limits
	PerQueueMetrics bool // each of its queues has metric series of its own
}

// DefaultPolicy is what holds where no pattern of the configuration matches:
// a queue on first use, without limits.
func DefaultPolicy() Policy {
	return Policy{Pattern: Pattern{text: anyRest, levels: []string{anyRest}}}
}

// Limits are the values of a policy that a declared address may narrow. Zero is
// no limit (in a declaration: what the policy says). Times are used in whole
// milliseconds.
type Limits struct {
	TTLDefault time.Duration // of a message that brings none
	TTLMin     time.Duration // a shorter one becomes this
	TTLMax     time.Duration // a longer one, or none, becomes this

	MaxMessages uint64 // in the queue
	MaxBytes    uint64 // in the queue

	MaxDeliveries   uint32        // failed ones, after which a message is rejected
	RedeliveryDelay time.Duration // reserved: must be zero for now
	MaxUnsettled    uint32        // deliveries out, per consumer
}

// Validate tells what is wrong with a policy, nil if nothing.
func (p *Policy) Validate() error {
	if p.Kind != KindQueue {
		return fmt.Errorf("kind %d is not known", p.Kind)
	}
	if p.Create > CreateNever {
		return fmt.Errorf("create mode %d is not known", p.Create)
	}
	return p.Limits.Validate()
}

// Validate tells what is wrong with limits in themselves, nil if nothing.
func (l *Limits) Validate() error {
	for _, t := range [...]struct {
		name  string
		value time.Duration
	}{{"ttl default", l.TTLDefault}, {"ttl min", l.TTLMin}, {"ttl max", l.TTLMax}} {
		if t.value < 0 || t.value%time.Millisecond != 0 {
			return fmt.Errorf("%s %v is not a whole number of milliseconds", t.name, t.value)
		}
	}
	switch {
	case l.RedeliveryDelay != 0:
		return errors.New("redelivery delay is not supported yet")
	case l.TTLMax != 0 && l.TTLMin > l.TTLMax:
		return fmt.Errorf("ttl min %v is more than ttl max %v", l.TTLMin, l.TTLMax)
	case l.TTLMax != 0 && l.TTLDefault > l.TTLMax:
		return fmt.Errorf("ttl default %v is more than ttl max %v", l.TTLDefault, l.TTLMax)
	case l.TTLDefault != 0 && l.TTLDefault < l.TTLMin:
		return fmt.Errorf("ttl default %v is less than ttl min %v", l.TTLDefault, l.TTLMin)
	}
	return nil
}

// CheckNarrow tells which declared value would widen the policy, nil if none:
// an upper limit may be lowered, TTLMin raised, TTLDefault moved between the
// policy's TTLMin and TTLMax.
func (l Limits) CheckNarrow(declared Limits) error {
	switch {
	case wider(declared.TTLMax, l.TTLMax):
		return fmt.Errorf("ttl max %v is more than the policy's %v", declared.TTLMax, l.TTLMax)
	case declared.TTLMin != 0 && declared.TTLMin < l.TTLMin:
		return fmt.Errorf("ttl min %v is less than the policy's %v", declared.TTLMin, l.TTLMin)
	case wider(declared.MaxMessages, l.MaxMessages):
		return fmt.Errorf("max messages %d is more than the policy's %d", declared.MaxMessages, l.MaxMessages)
	case wider(declared.MaxBytes, l.MaxBytes):
		return fmt.Errorf("max bytes %d is more than the policy's %d", declared.MaxBytes, l.MaxBytes)
	case wider(declared.MaxDeliveries, l.MaxDeliveries):
		return fmt.Errorf("max deliveries %d is more than the policy's %d", declared.MaxDeliveries, l.MaxDeliveries)
	case wider(declared.MaxUnsettled, l.MaxUnsettled):
		return fmt.Errorf("max unsettled %d is more than the policy's %d", declared.MaxUnsettled, l.MaxUnsettled)
	}
	if err := declared.Validate(); err != nil {
		return err
	}
	n := l.Narrow(declared)
	if d := declared.TTLDefault; d != 0 && d != n.TTLDefault {
		return fmt.Errorf("ttl default %v is not between ttl min %v and ttl max %v", d, n.TTLMin, n.TTLMax)
	}
	if d := declared.TTLMax; d != 0 && d != n.TTLMax {
		return fmt.Errorf("ttl max %v is less than the policy's ttl min %v", d, l.TTLMin)
	}
	if d := declared.TTLMin; d != 0 && d != n.TTLMin {
		return fmt.Errorf("ttl min %v is more than the policy's ttl max %v", d, l.TTLMax)
	}
	return nil
}

// Narrow gives the limits of an address that was declared with its own values.
// A value that would widen the policy does not count: the policy may have
// become narrower since. Where the two contradict each other, the policy wins,
// and of what was declared TTLMax.
func (l Limits) Narrow(declared Limits) Limits {
	n := Limits{
		TTLDefault:      l.TTLDefault,
		TTLMin:          max(l.TTLMin, declared.TTLMin),
		TTLMax:          lower(l.TTLMax, declared.TTLMax),
		MaxMessages:     lower(l.MaxMessages, declared.MaxMessages),
		MaxBytes:        lower(l.MaxBytes, declared.MaxBytes),
		MaxDeliveries:   lower(l.MaxDeliveries, declared.MaxDeliveries),
		RedeliveryDelay: l.RedeliveryDelay,
		MaxUnsettled:    lower(l.MaxUnsettled, declared.MaxUnsettled),
	}
	if declared.TTLDefault != 0 {
		n.TTLDefault = declared.TTLDefault
	}
	if n.TTLMax != 0 {
		n.TTLMax = max(n.TTLMax, l.TTLMin)
		n.TTLMin = min(n.TTLMin, n.TTLMax)
	}
	if n.TTLDefault != 0 {
		n.TTLDefault = lower(max(n.TTLDefault, n.TTLMin), n.TTLMax)
	}
	return n
}

// wider tells whether upper limit a allows more than b; 0 is none.
func wider[T time.Duration | uint64 | uint32](a, b T) bool { return a != 0 && b != 0 && a > b }

// lower is the stricter of two upper limits; 0 is none.
func lower[T time.Duration | uint64 | uint32](a, b T) T {
	if a == 0 || (b != 0 && b < a) {
		return b
	}
	return a
}

// Expiry is what a message says of its own end.
type Expiry struct {
	HasTTL         bool
	TTLMillis      uint32 // header.ttl
	HasAbsolute    bool
	AbsoluteMillis int64 // properties.absolute-expiry-time, Unix milliseconds
}

// Deadline fixes when a message that arrives now expires, Unix milliseconds, 0
// for never: its absolute-expiry-time, else arrival and ttl, else the default,
// within TTLMin and TTLMax of now. A deadline is never 0 or negative by
// accident: one that has passed already is still a deadline.
func (l *Limits) Deadline(nowMillis int64, e Expiry) int64 {
	var at int64
	switch {
	case e.HasAbsolute:
		at = max(e.AbsoluteMillis, 1)
	case e.HasTTL:
		at = addMillis(nowMillis, int64(e.TTLMillis))
	case l.TTLDefault != 0:
		at = addMillis(nowMillis, l.TTLDefault.Milliseconds())
	case l.TTLMax != 0:
		at = math.MaxInt64
	default:
		return 0
	}
	if l.TTLMin != 0 {
		at = max(at, addMillis(nowMillis, l.TTLMin.Milliseconds()))
	}
	if l.TTLMax != 0 {
		at = min(at, addMillis(nowMillis, l.TTLMax.Milliseconds()))
	}
	return max(at, 1)
}

// Expires tells whether Deadline gives a message one.
func (l *Limits) Expires(e *Expiry) bool {
	return e.HasAbsolute || e.HasTTL || l.TTLDefault != 0 || l.TTLMax != 0
}

// addMillis adds without running over the end of time.
func addMillis(at, d int64) int64 {
	if at > math.MaxInt64-d {
		return math.MaxInt64
	}
	return at + d
}
