package cluster

// KnownLevel is the newest level of records that this binary writes and reads. A
// level names all formats that replicas must agree on: the pack's header and
// codecs, the kinds of records and their versions, the streams of state, the
// messages between nodes. A node writes nothing newer than Node.Level, which is
// raised when all members know more, and never lowered.
//
//	1  packs of header 1, explicit ids in Declare: a node alone, before there were clusters
//	2  packs with an origin (header 2), Declare without id, settings, checks, codec s2
//
// What a level brings is written by whoever asks Node.Level as it begins a record,
// and gets that level or a newer one. Nobody has to ask for baseLevel.
const KnownLevel = 2

// baseLevel is what every binary knows that can be in a cluster.
const baseLevel = 2
