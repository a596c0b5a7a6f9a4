package admin

import (
	"context"
	"fmt"
)

// fakeCluster answers with what it was given, and notes what was asked of it.
type fakeCluster struct {
	status   ClusterStatus
	verified Verification
	steps    []Progress // what everything that takes long reports
	err      error      // what everything ends with
	asked    []string
}

func (f *fakeCluster) work(report func(Progress), format string, args ...any) error {
	f.asked = append(f.asked, fmt.Sprintf(format, args...))
	for _, step := range f.steps {
		report(step)
	}
	return f.err
}

func (f *fakeCluster) Status(context.Context) (ClusterStatus, error) { return f.status, f.err }

func (f *fakeCluster) Add(_ context.Context, node, address string, report func(Progress)) error {
	return f.work(report, "add %s %s", node, address)
}

func (f *fakeCluster) Remove(_ context.Context, node string, force bool, report func(Progress)) error {
	return f.work(report, "remove %s %v", node, force)
}

func (f *fakeCluster) Drain(_ context.Context, node string, report func(Progress)) error {
	return f.work(report, "drain %s", node)
}

func (f *fakeCluster) Transfer(_ context.Context, shard uint16, to string) error {
	f.asked = append(f.asked, fmt.Sprintf("transfer %d %s", shard, to))
	return f.err
}

func (f *fakeCluster) Rebalance(_ context.Context, report func(Progress)) error {
	return f.work(report, "rebalance")
}

func (f *fakeCluster) Verify(_ context.Context, report func(Progress)) (Verification, error) {
	return f.verified, f.work(report, "verify")
}
