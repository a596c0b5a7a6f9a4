package cluster

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"entrepot/queue"
)

// fakeRaft stands where Raft stands: it is handed packs and the test decides
// what becomes of them.
type fakeRaft struct {
	b     *Batcher
	packs [][]byte
}

// lead lets the batcher send to it.
func (r *fakeRaft) lead() { r.b.setRoute(route{local: true}) }

// lose is what the group does when it has lost the lead.
func (r *fakeRaft) lose() { r.b.setRoute(route{}) }

func newFakeRaft(outstanding int) *fakeRaft {
	r := &fakeRaft{}
	now := time.UnixMilli(1000)
	cfg := &Config{MaxPackBytes: 1000, MaxPackRecords: 4, Origin: 7}
	r.b = newBatcher(cfg, newClock(func() time.Time { return now }))
	r.b.limits.outstanding = outstanding
	r.b.propose = func(data []byte) { r.packs = append(r.packs, data) }
	r.b.now = func() time.Time { return now }
	return r
}

func (r *fakeRaft) store(i int) { r.b.writing(r.packs[i]); r.b.stored() }
func (r *fakeRaft) apply(i int, replies ...queue.Reply) {
	r.applyAs(i, Result{Replies: replies})
}

func (r *fakeRaft) applyAs(i int, result Result) {
	h, err := queue.ReadPackHeader(r.packs[i])
	if err != nil {
		panic(err)
	}
	r.b.committed(h.Origin, r.packs[i])
	r.b.applied(h.Origin, uint64(i+1), r.packs[i], result, false)
}

// records lists the payloads of pack i.
func (r *fakeRaft) records(t *testing.T, i int) string {
	rd, err := queue.OpenPack(r.packs[i])
	require.NoError(t, err)
	var all []string
	var rec queue.Record
	for {
		more, err := rd.Next(&rec)
		require.NoError(t, err)
		if !more {
			return strings.Join(all, " ")
		}
		all = append(all, string(rec.Payload))
	}
}

func TestWhatGathersDuringAWriteIsTheNextPack(t *testing.T) {
	r, w := newFakeRaft(1), newRecorder()
	r.lead()
	w.enqueue(r.b, 1, "a")
	require.Len(t, r.packs, 1, "nothing was in flight: End sent it, no goroutine was needed")
	w.enqueue(r.b, 2, "b")
	w.enqueue(r.b, 3, "c")
	require.Len(t, r.packs, 1, "one voter: one pack is outstanding")
	r.store(0)
	require.Len(t, r.packs, 1, "written is not committed: Raft's loop must get to the commit first")
	r.apply(0)
	require.Len(t, r.packs, 2, "the commit of the first sends the second")
	require.Equal(t, "b c", r.records(t, 1))
	r.store(1)
	r.apply(1)
	w.left.Wait()
	require.Equal(t, []uint64{1, 2, 3}, w.order)
	require.Equal(t, 2, w.calls, "neighbours with one waiter are told in one call")
}

func TestWhatNobodyWaitsForGoesWithTheNext(t *testing.T) {
	r, w := newFakeRaft(1), newRecorder()
	r.lead()
	later := func(token uint64, payload string) {
		w.add(r.b, token, payload)
		r.b.EndLater()
	}
	later(1, "a")
	r.b.Flush()
	require.Empty(t, r.packs, "it is worth no fsync of its own")
	w.enqueue(r.b, 2, "b")
	require.Equal(t, "a b", r.records(t, 0))
	later(3, "c")
	r.store(0)
	r.apply(0)
	require.Len(t, r.packs, 1, "nor does the end of the pack before begin one for it")
	later(4, "d")
	r.b.Hurry()
	require.Equal(t, "c d", r.records(t, 1), "it does not wait for ever")
	later(5, "e")
	r.store(1)
	r.apply(1)
	require.Len(t, r.packs, 2, "what came after Hurry waits again")
	r.b.Hurry()
	r.store(2)
	r.apply(2)
	r.b.Hurry()
	for i, payload := range []string{"f", "g", "h", "i"} {
		later(uint64(6+i), payload)
	}
	require.Len(t, r.packs, 3, "when Hurry came there was nothing to hurry")
	later(10, "j")
	require.Equal(t, "f g h i", r.records(t, 3), "a full pack goes")
	r.store(3)
	r.apply(3)
	require.Len(t, r.packs, 4)
	r.b.close()
	r.b.abandon()
	w.left.Wait()
	require.Equal(t, ErrStopped, w.errs(t)[10], "and what waits till the end is told so")
}

// eager is a Waiter that has a next record as soon as it is told of the last.
type eager struct{ b *Batcher }

func (e eager) Done(tokens []uint64, _ []queue.Reply, _ error) {
	for range tokens {
		e.b.Begin(0).Builder.Enqueue(1, 0, 0, []byte("next"))
		e.b.End()
	}
}

func TestABusyGroupWaitsForItsWaitersNextRecords(t *testing.T) {
	for _, c := range []struct {
		records int
		second  int
		why     string
	}{
		{fewRecords, 1, "small packs: the disk goes on with what is there"},
		{fewRecords + 1, fewRecords + 2, "big packs: what the waiters bring goes along"},
	} {
		r := newFakeRaft(1)
		r.b.limits.packRecords, r.b.limits.packBytes = 1000, 1<<20
		r.lead()
		for i := range c.records {
			p := r.b.Begin(0)
			p.Builder.Enqueue(1, 0, 0, []byte("first"))
			p.Wait(eager{r.b}, uint64(i))
			r.b.EndMore()
		}
		r.b.Flush()
		r.b.Begin(0).Builder.Enqueue(1, 0, 0, []byte("gathered meanwhile"))
		r.b.End()
		r.store(0)
		r.apply(0)
		rd, err := queue.OpenPack(r.packs[1])
		require.NoError(t, err)
		require.EqualValues(t, c.second, rd.Header().Count, c.why)
	}
}

func TestABurstIsNotTorn(t *testing.T) {
	r, w := newFakeRaft(1), newRecorder()
	r.lead()
	for i, s := range []string{"a", "b", "c"} {
		w.add(r.b, uint64(i), s)
		r.b.EndMore()
	}
	require.Empty(t, r.packs, "the caller said that more is to come")
	r.b.Flush()
	require.Equal(t, "a b c", r.records(t, 0))
}

func TestLimitsClosePacks(t *testing.T) {
	r, w := newFakeRaft(1), newRecorder()
	r.lead()
	w.enqueue(r.b, 0, "first")
	for i := range 5 {
		w.enqueue(r.b, uint64(i+1), string(rune('a'+i)))
	}
	big := strings.Repeat("x", 5000)
	w.enqueue(r.b, 6, big)
	w.enqueue(r.b, 7, "z")
	require.Greater(t, r.b.Backlog(), 5000, "what waits can be seen")
	for i := range 5 {
		require.Len(t, r.packs, i+1)
		r.store(i)
		r.apply(i)
	}
	require.Equal(t, "a b c d", r.records(t, 1), "four records are a pack here")
	require.Equal(t, "e", r.records(t, 2), "the big record did not fit beside it")
	require.Equal(t, big, r.records(t, 3), "bigger than a pack: a pack of its own")
	require.Equal(t, "z", r.records(t, 4))
	w.left.Wait()
	require.Equal(t, []uint64{0, 1, 2, 3, 4, 5, 6, 7}, w.order)
	require.Zero(t, r.b.Backlog())
}

func TestTwoVotersOverlapDiskAndNetwork(t *testing.T) {
	r, w := newFakeRaft(2), newRecorder()
	r.lead()
	w.enqueue(r.b, 1, "a")
	w.enqueue(r.b, 2, "b")
	require.Len(t, r.packs, 1, "the disk is busy with the first: gather")
	r.store(0)
	<-r.b.wake
	r.b.Flush() // the cutter's part
	require.Len(t, r.packs, 2, "the first replicates, the second is written")
	w.enqueue(r.b, 3, "c")
	r.store(1)
	require.Len(t, r.packs, 2, "two are outstanding")
	r.apply(0)
	require.Len(t, r.packs, 3)
}

func TestResultsAreMatchedToWaiters(t *testing.T) {
	r, v, w := newFakeRaft(1), newRecorder(), newRecorder()
	r.lead()
	v.add(r.b, 1, "a")
	r.b.EndMore()
	r.b.Begin(0).Builder.Enqueue(1, 0, 0, []byte("nobody waits for this one"))
	r.b.EndMore()
	w.add(r.b, 2, "b")
	r.b.EndMore()
	v.add(r.b, 3, "c")
	r.b.EndMore()
	r.b.Flush()
	r.store(0)
	r.apply(0, queue.Reply{Seq: 10}, queue.Reply{Seq: 11}, queue.Reply{Seq: 12}, queue.Reply{Seq: 13})
	require.EqualValues(t, 10, v.told[1][0].result.Seq)
	require.EqualValues(t, 12, w.told[2][0].result.Seq, "the record without a waiter is skipped")
	require.EqualValues(t, 13, v.told[3][0].result.Seq)
}

func TestPacksAreKeptWhenTheLeadIsLost(t *testing.T) {
	r, w := newFakeRaft(2), newRecorder()
	r.lead()
	w.enqueue(r.b, 1, "written, nobody knows")
	r.store(0)
	w.enqueue(r.b, 2, "sent, never written")
	w.enqueue(r.b, 3, "still gathering")
	r.lose()
	w.enqueue(r.b, 4, "while nobody leads")
	require.Empty(t, w.errs(t), "nobody is told anything")
	require.Positive(t, r.b.Backlog(), "but that there is more than should be")
	before := slices.Clone(r.packs[0])
	r.lead()
	r.store(2)
	<-r.b.wake
	r.b.Flush()
	require.Equal(t, before, r.packs[0], "the log may have it: it never changes")
	require.Equal(t, "written, nobody knows", r.records(t, 2))
	require.False(t, same(r.packs[0], r.packs[2]))
	require.Equal(t, "sent, never written", r.records(t, 3), "in the old order, before anything newer")
	r.apply(0) // it was committed after all
	require.Equal(t, map[uint64]error{1: nil}, w.errs(t))
	r.applyAs(2, Result{Verdict: queue.PackDuplicate})
	r.store(3)
	r.apply(3)
	r.apply(4)
	w.left.Wait()
	require.Equal(t, map[uint64]error{1: nil, 2: nil, 3: nil, 4: nil}, w.errs(t))
}

func TestLeadLostBetweenTakeAndSend(t *testing.T) {
	r, w := newFakeRaft(1), newRecorder()
	r.lead()
	w.add(r.b, 1, "a")
	r.b.open.due = true
	p := r.b.take() // End, cut in half
	r.b.mu.Unlock()
	r.lose()
	r.b.send(p)
	require.Empty(t, r.packs, "Raft has never heard of it")
	r.lead()
	r.apply(0)
	w.left.Wait()
	require.NoError(t, w.errs(t)[1])
}

func TestAGroupThatEndsTellsWhatItKnows(t *testing.T) {
	r, w := newFakeRaft(1), newRecorder()
	r.lead()
	w.enqueue(r.b, 1, "handed over")
	w.enqueue(r.b, 2, "not handed over")
	r.b.close()
	require.Empty(t, w.errs(t), "Raft may apply the first yet")
	r.b.abandon()
	require.Equal(t, map[uint64]error{1: ErrUnknownOutcome, 2: ErrStopped}, w.errs(t))
	r.apply(0) // later: its waiters are not told twice
	require.Len(t, w.errs(t), 2)
}

func TestDrainFinishesWhatWasGathered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, w := newFakeRaft(1), newRecorder()
		r.lead()
		w.enqueue(r.b, 1, "in flight")
		w.enqueue(r.b, 2, "gathered")
		done := make(chan error, 1)
		go func() { done <- r.b.drain(context.Background()) }()
		synctest.Wait()
		w.enqueue(r.b, 3, "too late")
		synctest.Wait()
		require.Equal(t, map[uint64]error{3: ErrStopped}, w.errs(t))
		for i := range 2 {
			r.store(i)
			r.apply(i)
		}
		require.NoError(t, <-done)
		require.Equal(t, map[uint64]error{1: nil, 2: nil, 3: ErrStopped}, w.errs(t))
	})
}

func TestDrainGivesUpWithItsContext(t *testing.T) {
	r, w := newFakeRaft(1), newRecorder()
	r.lead()
	w.enqueue(r.b, 1, "stuck")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	require.ErrorIs(t, r.b.drain(ctx), context.Canceled)
}

func TestLeaderTimeNeverGoesBack(t *testing.T) {
	r, w := newFakeRaft(1), newRecorder()
	r.b.clock.applied(5000) // another leader's clock was ahead of our 1000
	r.b.clock.lead()
	r.lead()
	w.enqueue(r.b, 1, "a")
	h, err := queue.ReadPackHeader(r.packs[0])
	require.NoError(t, err)
	require.EqualValues(t, 5000, h.NowMillis)
	require.Equal(t, queue.Origin{Node: 7, Seq: 1}, h.Origin)
}

func TestRecordsAllocateNothing(t *testing.T) {
	r, w := newFakeRaft(1), &silent{}
	r.b.limits.packRecords, r.b.limits.packBytes = 1<<20, 1<<30
	r.lead()
	r.b.Begin(0).Builder.Purge(1) // in flight: the rest gathers
	r.b.End()
	payload := make([]byte, 256)
	one := func() {
		p := r.b.Begin(len(payload))
		p.Builder.Enqueue(1, 0, 0, payload)
		p.Wait(w, 1)
		r.b.End()
	}
	for range 20000 { // give the buffers their size
		one()
	}
	for i := range 3 {
		r.store(i)
		r.apply(i)
		for range 10000 {
			one()
		}
	}
	require.Zero(t, testing.AllocsPerRun(5000, one))
}

// silent is a Waiter that does nothing.
type silent struct{}

func (*silent) Done([]uint64, []queue.Reply, error) {}

// A node that does not lead knows the time no better than we do.
func TestOnlyTheLeaderTellsTheTime(t *testing.T) {
	b := newFakeRaft(1).b
	before := b.clock.millis()
	b.answered(answer{status: answerNotTaken})
	require.GreaterOrEqual(t, b.clock.millis(), before)
	b.answered(answer{status: answerFresh, nowMillis: before + 5000})
	require.GreaterOrEqual(t, b.clock.millis(), before+5000)
}
