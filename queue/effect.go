package queue

// EffectKind says what the Dispatcher asks for or tells.
type EffectKind uint8

const (
	// EffectDeliver: Consumer gets Message, which it has acquired (a browser:
	// a copy of it). Exactly one Outcome, Return or Detach must follow, but for
	// browsers, of which nothing is expected.
	EffectDeliver EffectKind = iota + 1

	// EffectLoad: read live messages of Queue from the store and answer with
	// Loaded (or LoadFailed): those at or behind From in order, at most
	// MaxMessages and about MaxBytes of them, but at least one if there is one.
	EffectLoad

	// EffectRemove: propose the removal of Run from Queue for Reason. When it
	// is applied, Removed must be called (as for every removal in an active
	// queue); if it will not be or may not have been, RemoveFailed.
	EffectRemove

	// EffectModify: propose Modify{Seq, Count, Annotations}, after what was to
	// be proposed before. Answered by exactly one of Modified and ModifyFailed;
	// answers of one message come in the order of its effects. Count is the
	// stored count, which leaves out the attempt that a change of leadership
	// implies. Annotations are for good: they may be kept.
	EffectModify

	// EffectMark: put Mark{Seq, Epoch} of Queue into the next pack that is
	// written anyway, or into one of its own before long: the queue is not idle
	// before. A later one of the same queue stands for those before it. Answered
	// by Marked or MarkFailed.
	EffectMark

	// EffectDrained: nothing is left for Consumer, or its credit is used up.
	// Its limit is now what has been delivered: it gets nothing until the next
	// SetLimit or Drain.
	EffectDrained

	// EffectConfirmed: what Consumer said about Seq is now a fact (or makes no
	// difference any more): the connection may settle.
	EffectConfirmed

	// EffectOutcomeFailed: what Consumer said about Seq did not become a fact,
	// or nobody knows. The message is ready again (unless it turns out to be
	// gone), and no longer this consumer's.
	EffectOutcomeFailed

	// EffectRecall: somebody has settled Seq late, which Consumer has. If it was not
	// sent yet, a Return must follow at once, else Sent.
	EffectRecall

	// EffectGone: Queue was deleted; Consumer is detached from it. Nothing more
	// comes for this consumer, and nothing more is expected of it.
	EffectGone

	// EffectIdle: the Dispatcher holds nothing of Queue any more; facts about it
	// need not be told until the next Attach. It is told last, and only if no
	// Attach came since.
	EffectIdle
)

var effectNames = [...]string{"none", "deliver", "load", "remove", "modify", "mark", "drained", "confirmed", "outcome-failed", "recall", "gone", "idle"}

// String is the effect's name as tests and logs show it.
func (k EffectKind) String() string {
	if int(k) < len(effectNames) {
		return effectNames[k]
	}
	return "effect?"
}

// Effect is one thing that the Dispatcher asks for or tells. Which fields have
// a meaning depends on Kind; the others are zero.
type Effect struct {
	Kind     EffectKind
	Reason   Reason     // Remove
	Queue    ID         // all
	Consumer ConsumerID // Deliver, Drained, Confirmed, OutcomeFailed, Recall, Gone

	Seq     Seq         // Modify, Mark, Confirmed, OutcomeFailed, Recall
	Outcome OutcomeKind // Confirmed, OutcomeFailed: what the consumer had said
	Ref     uint64      // Confirmed, OutcomeFailed: the ref given with the outcome

	Run         Run    // Remove
	Awaited     bool   // Remove: somebody waits for it; else it may come a little later
	Count       uint32 // Modify
	Annotations []byte // Modify
	Epoch       uint64 // Mark

	Load        LoadID // Load
	From        Seq    // Load
	MaxMessages int    // Load
	MaxBytes    int    // Load

	Message Message // Deliver
}
