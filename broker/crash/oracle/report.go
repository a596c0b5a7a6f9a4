package oracle

import "fmt"

// Kind is what a broker may never do.
type Kind string

const (
	Lost        Kind = "lost"        // accepted, and gone without having been settled or expired
	Resurrected Kind = "resurrected" // delivered after its settle was confirmed
	Invented    Kind = "invented"    // never sent, refused, changed, or of another queue
	Disorder    Kind = "disorder"    // before an earlier one of the same producer
	Shared      Kind = "shared"      // delivered while another consumer has it
	Late        Kind = "late"        // delivered after its deadline, or with a moved deadline
	CountFell   Kind = "count-fell"  // delivery-count is below the confirmed failures
	Unclean     Kind = "unclean"     // told by the harness: a bad exit, or a start that failed
	Stuck       Kind = "stuck"       // told by the harness: no traffic though nothing is broken any more
	Diverged    Kind = "diverged"    // told by the harness: replicas differ
)

// maxDetails is how many violations of one kind are kept in detail.
const maxDetails = 20

// Violation is one thing that no correct broker could have done.
type Violation struct {
	Kind    Kind   `json:"kind"`
	Queue   string `json:"queue"`
	Message string `json:"message"` // producer/n
	Life    int    `json:"life"`    // of the broker, or the stretch of weather, from 1
	Why     string `json:"why"`
	Trail   string `json:"trail,omitempty"` // what was done with the message and seen of it
}

// Tell tells it in a line. life is what Life is called.
func (v Violation) Tell(life string) string {
	text := fmt.Sprintf("%s %s message %s in %s %d: %s", v.Kind, v.Queue, v.Message, life, v.Life, v.Why)
	if v.Trail != "" {
		text += "; " + v.Trail
	}
	return text
}

// Report is the count. All numbers are messages or deliveries.
type Report struct {
	Lives       int `json:"lives"`
	Sent        int `json:"sent"`
	Accepted    int `json:"accepted"`
	Refused     int `json:"refused"`
	Unknown     int `json:"unknown"` // sent, and never answered
	Delivered   int `json:"delivered"`
	Redelivered int `json:"redelivered"`
	Settled     int `json:"settled"`  // confirmed outcomes of all kinds
	InDoubt     int `json:"in_doubt"` // settled, never confirmed, never seen again
	Expired     int `json:"expired"`  // accepted, never settled, and its time was over
	// Stale are deliveries of settled messages that had been on their way while
	// something was broken; see weather.go. 0 but for clusters.
	Stale int `json:"stale"`
	// Shaken are the stretches of calm weather in which leaders changed.
	Shaken int `json:"shaken"`

	// Counts has every violation, Violations the first of each kind.
	Counts     map[Kind]int `json:"violation_counts"`
	Violations []Violation  `json:"violations"`
}

// OK is true if nothing was wrong.
func (r *Report) OK() bool { return len(r.Counts) == 0 }

func (r *Report) add(v Violation) {
	if r.Counts == nil {
		r.Counts = map[Kind]int{}
	}
	r.Counts[v.Kind]++
	if r.Counts[v.Kind] <= maxDetails {
		r.Violations = append(r.Violations, v)
	}
}

// merge adds another report's violations.
func (r *Report) merge(other *Report) {
	if len(other.Counts) == 0 {
		return
	}
	if r.Counts == nil {
		r.Counts = map[Kind]int{}
	}
	for kind, n := range other.Counts {
		r.Counts[kind] += n
	}
	r.Violations = append(r.Violations, other.Violations...)
}

// Blame adds what the harness itself found wrong.
func (o *Oracle) Blame(k Kind, why string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.blame(k, "", ID{}, "%s", why)
}
