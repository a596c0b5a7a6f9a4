package queue

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestValidateName(t *testing.T) {
	for _, good := range []string{"a", "a/b", "/a", "a/", "a//b", "command/t-1/device 7", "grüße", "a*b", "c#", strings.Repeat("x", 1024)} {
		require.NoError(t, ValidateName(good), good)
	}
	for bad, want := range map[string]string{
		"":                        "empty",
		strings.Repeat("x", 1025): "1025 bytes",
		"a\xff":                   "not UTF-8",
		"a\x00":                   "control character at byte 1",
		"a\x7fb":                  "control character",
		"a/*":                     "wildcard",
		"#":                       "wildcard",
	} {
		require.ErrorContains(t, ValidateName(bad), want)
	}
}

func TestParsePatternRefuses(t *testing.T) {
	for bad, want := range map[string]string{
		"":       "empty",
		"a/#/b":  "must be the last level",
		"a/b*":   "whole level",
		"a/x#":   "whole level",
		"a\n":    "control character",
		"\xff/#": "not UTF-8",
	} {
		_, err := ParsePattern(bad)
		require.ErrorContains(t, err, want, bad)
	}
}

func TestPatternMatches(t *testing.T) {
	for _, c := range []struct {
		pattern, yes, no string
	}{
		{"a", "a", "b a/b /a a/"},
		{"a/b", "a/b", "a a/b/c a/"},
		{"*", "a", "a/b"},
		{"a/*", "a/b a/", "a a/b/c"},
		{"*/b", "a/b /b", "b a/b/"},
		{"#", "a a/b / a/b/c", ""},
		{"a/#", "a a/ a/b a/b/c", "b ab /a"},
		{"a/*/#", "a/b a/b/c", "a b/a"},
	} {
		p, err := ParsePattern(c.pattern)
		require.NoError(t, err)
		require.Equal(t, c.pattern, p.String())
		for name := range strings.FieldsSeq(c.yes) {
			require.True(t, p.Matches(name), "%s matches %s", c.pattern, name)
		}
		for name := range strings.FieldsSeq(c.no) {
			require.False(t, p.Matches(name), "%s does not match %s", c.pattern, name)
		}
	}
}

func policySet(t require.TestingT, patterns ...string) *PolicySet {
	var policies []Policy
	for _, text := range patterns {
		p, err := ParsePattern(text)
		require.NoError(t, err)
		policies = append(policies, Policy{Pattern: p})
	}
	s, err := NewPolicySet(policies)
	require.NoError(t, err)
	return s
}

func TestMostSpecificWins(t *testing.T) {
	s := policySet(t, "#", "a/#", "a/*/c", "a/b/#", "*/b/c", "a/b/c/d", "a/*")
	for name, want := range map[string]string{
		"x":         "#",
		"a":         "a/#",
		"a/b":       "a/b/#",
		"a/x":       "a/*",
		"a/b/c":     "a/b/#", // a literal before "*", at the first level that differs
		"a/x/c":     "a/*/c",
		"a/x/y":     "a/#",
		"y/b/c":     "*/b/c",
		"a/b/c/d":   "a/b/c/d",
		"a/b/c/d/e": "a/b/#",
	} {
		require.Equal(t, want, s.Match(name).Pattern.String(), name)
	}
	require.Nil(t, policySet(t, "a/#").Match("b"))
	require.Len(t, s.Policies(), 7)
}

// specific tells whether pattern a is more specific than b, as PolicySet says.
func specific(a, b Pattern) bool {
	rank := map[string]int{anyLevel: 1, anyRest: 2}
	for i := range min(len(a.levels), len(b.levels)) {
		if ra, rb := rank[a.levels[i]], rank[b.levels[i]]; ra != rb {
			return ra < rb
		}
	}
	return len(b.levels) > len(a.levels) // "a" before "a/#"
}

// TestMatchAgainstList: the tree finds what looking at each pattern finds.
func TestMatchAgainstList(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		texts := rapid.SliceOfDistinct(rapid.StringMatching(`([ab*]/){0,3}[ab*#]`), rapid.ID[string]).Draw(t, "patterns")
		s := policySet(t, texts...)
		name := rapid.StringMatching(`([abc]?/){0,4}[abc]`).Draw(t, "name")
		var want *Policy
		for _, p := range s.Policies() {
			if p.Pattern.Matches(name) && (want == nil || specific(p.Pattern, want.Pattern)) {
				want = p
			}
		}
		require.Same(t, want, s.Match(name))
	})
}

func TestPolicySetRefuses(t *testing.T) {
	p, _ := ParsePattern("a")
	_, err := NewPolicySet([]Policy{{Pattern: p}, {Pattern: p}})
	require.ErrorContains(t, err, "twice")
	_, err = NewPolicySet([]Policy{{}})
	require.ErrorContains(t, err, "no pattern")
	for want, bad := range map[string]Policy{
		"kind":               {Kind: 9},
		"create mode":        {Create: 9},
		"whole number":       {Limits: Limits{TTLMin: time.Microsecond}},
		"not supported":      {Limits: Limits{RedeliveryDelay: time.Second}},
		"more than ttl max":  {Limits: Limits{TTLMax: 1e6, TTLMin: 2e6}},
		"default 2ms is mor": {Limits: Limits{TTLMax: 1e6, TTLDefault: 2e6}},
		"less than ttl min":  {Limits: Limits{TTLMin: 3e6, TTLDefault: 2e6}},
	} {
		bad.Pattern = p
		_, err = NewPolicySet([]Policy{bad})
		require.ErrorContains(t, err, want)
	}
	def := DefaultPolicy()
	require.NoError(t, def.Validate())
	require.True(t, def.Pattern.Matches("anything/at/all"))
}

func TestMatchDoesNotAllocate(t *testing.T) {
	s := policySet(t, "#", "command/*/*", "command/acme/#")
	require.Zero(t, testing.AllocsPerRun(100, func() { s.Match("command/acme/device-1") }))
}

// TestNarrowNeverWidens: whatever is declared, the result allows no more than
// the policy; and what CheckNarrow accepts is what Narrow gives.
func TestNarrowNeverWidens(t *testing.T) {
	ttl := rapid.Map(rapid.IntRange(0, 5), func(s int) time.Duration { return time.Duration(s) * time.Second })
	draw := func(t *rapid.T) Limits {
		return Limits{
			TTLDefault: ttl.Draw(t, "default"), TTLMin: ttl.Draw(t, "min"), TTLMax: ttl.Draw(t, "max"),
			MaxMessages: rapid.Uint64Range(0, 3).Draw(t, "messages"), MaxBytes: rapid.Uint64Range(0, 3).Draw(t, "bytes"),
			MaxDeliveries: rapid.Uint32Range(0, 3).Draw(t, "deliveries"), MaxUnsettled: rapid.Uint32Range(0, 3).Draw(t, "unsettled"),
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		policy, declared := draw(t), draw(t)
		if policy.Validate() != nil {
			t.Skip("not a policy")
		}
		n := policy.Narrow(declared)
		require.NoError(t, n.Validate())
		require.False(t, wider(n.TTLMax, policy.TTLMax) || policy.TTLMax != 0 && n.TTLMax == 0)
		require.GreaterOrEqual(t, n.TTLMin, policy.TTLMin)
		require.False(t, wider(n.MaxMessages, policy.MaxMessages) || wider(n.MaxBytes, policy.MaxBytes))
		require.False(t, wider(n.MaxDeliveries, policy.MaxDeliveries) || wider(n.MaxUnsettled, policy.MaxUnsettled))
		require.Equal(t, policy, policy.Narrow(Limits{}), "nothing declared: what the policy says")
		if policy.CheckNarrow(declared) == nil {
			for _, v := range [][2]time.Duration{{declared.TTLDefault, n.TTLDefault}, {declared.TTLMin, n.TTLMin}, {declared.TTLMax, n.TTLMax}} {
				require.True(t, v[0] == 0 || v[0] == v[1], "accepted as declared")
			}
		}
	})
}

func TestCheckNarrowNamesTheField(t *testing.T) {
	policy := Limits{TTLMin: 1e9, TTLMax: 10e9, MaxMessages: 10, MaxBytes: 10, MaxDeliveries: 10, MaxUnsettled: 10}
	require.NoError(t, policy.CheckNarrow(Limits{TTLMin: 2e9, TTLMax: 9e9, TTLDefault: 3e9, MaxMessages: 9}))
	for want, declared := range map[string]Limits{
		"ttl max":        {TTLMax: 11e9},
		"ttl min":        {TTLMin: 1e6},
		"ttl default":    {TTLDefault: 11e9},
		"max messages":   {MaxMessages: 11},
		"max bytes":      {MaxBytes: 11},
		"max deliveries": {MaxDeliveries: 11},
		"max unsettled":  {MaxUnsettled: 11},
		"milliseconds":   {TTLMin: 2e9 + 1},
	} {
		require.ErrorContains(t, policy.CheckNarrow(declared), want)
	}
}

func TestDeadline(t *testing.T) {
	const now = 1_000_000
	none, bounded := Limits{}, Limits{TTLDefault: 5e9, TTLMin: 2e9, TTLMax: 10e9}
	for _, c := range []struct {
		why    string
		limits Limits
		e      Expiry
		want   int64
	}{
		{"nothing said, no policy", none, Expiry{}, 0},
		{"ttl", none, Expiry{HasTTL: true, TTLMillis: 7}, now + 7},
		{"ttl 0 has expired on arrival", none, Expiry{HasTTL: true}, now},
		{"absolute time goes before ttl", none, Expiry{HasTTL: true, TTLMillis: 7, HasAbsolute: true, AbsoluteMillis: now + 3}, now + 3},
		{"absolute time long ago is no missing deadline", none, Expiry{HasAbsolute: true, AbsoluteMillis: -5}, 1},
		{"default", bounded, Expiry{}, now + 5000},
		{"raised to the minimum", bounded, Expiry{HasTTL: true, TTLMillis: 1}, now + 2000},
		{"lowered to the maximum", bounded, Expiry{HasTTL: true, TTLMillis: 99999}, now + 10000},
		{"no ttl is the longest of all", Limits{TTLMax: 10e9}, Expiry{}, now + 10000},
		{"absolute time is bounded, too", bounded, Expiry{HasAbsolute: true, AbsoluteMillis: math.MaxInt64}, now + 10000},
		{"the end of time", none, Expiry{HasTTL: true, TTLMillis: 1}, now + 1},
	} {
		require.Equal(t, c.want, c.limits.Deadline(now, c.e), c.why)
	}
	require.Equal(t, int64(math.MaxInt64), none.Deadline(math.MaxInt64-3, Expiry{HasTTL: true, TTLMillis: 9}), "no overflow")
}
