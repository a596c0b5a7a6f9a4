package main

import (
	"bytes"
	"context"
	"testing"

	"github.com/stretchr/testify/require"
)

func script(text string) *suite {
	return &suite{name: "fake", command: []string{"sh", "-c", text}}
}

func TestVerdictIsTheLastOne(t *testing.T) {
	s, ok := verdictOf([]byte("ok a\nfake: 1 passed, 0 failed\nFAIL x: 9 passed, 9 failed no\nfake: 3 passed, 2 failed\n"))
	require.True(t, ok)
	require.Equal(t, score{3, 2}, s)
}

func TestSuiteWithoutVerdictHasFailed(t *testing.T) {
	require.Equal(t, score{0, 1}, script("echo ok").run(context.Background()))
	require.Equal(t, score{0, 1}, script("kill -9 $$").run(context.Background()))
}

func TestBadExitIsAFailureWhateverTheVerdict(t *testing.T) {
	require.Equal(t, score{2, 1}, script("echo 'fake: 2 passed, 0 failed'; exit 3").run(context.Background()))
	require.Equal(t, score{1, 1}, script("echo 'fake: 1 passed, 1 failed'; exit 1").run(context.Background()), "not counted twice")
}

func TestVerdictsAreHeldBack(t *testing.T) {
	var out bytes.Buffer
	v := &verdictless{to: &out}
	for _, part := range []string{"ok a\nfa", "ke: 1 passed, 0 fai", "led\nok b\n"} {
		_, err := v.Write([]byte(part))
		require.NoError(t, err)
	}
	require.Equal(t, "ok a\nok b\n", out.String())
}
