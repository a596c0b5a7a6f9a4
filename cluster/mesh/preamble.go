package mesh

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// The handshake: each record is one preamble. The side that dials says hello, the
// other one welcome, the first one ready; or whoever does not want to says refusal
// (its Admit, a wrong name) or duplicate (there is a better connection).
//
//	 0            8           9           10     11   12         16         20
//	┌────────────┬───────────┬───────────┬──────┬────┬──────────┬──────────┬──────
//	│ "\x00ENTMESH" │ lowest v │ highest v │ word │ 0  │ size u32 │ crc u32  │ body
//	└────────────┴───────────┴───────────┴──────┴────┴──────────┴──────────┴──────
//
// lowest and highest are the versions of the frames that the sender knows; the
// highest one that both know is used. crc is CRC-32C of the body.
//
//	hello, welcome   u8 length, node │ u8 length, wanted │ incarnation u64 │ hello
//	ready, duplicate nothing
//	refusal          u8 length, node │ text
const (
	magic          = "\x00ENTMESH"
	lowestVersion  = 1
	highestVersion = 1
	preambleBytes  = 20
	mostHello      = 64 << 10
	// mostBody is what a stranger can make us allocate.
	mostBody = mostHello + 1024
)

type word uint8

const (
	wordHello word = iota + 1
	wordWelcome
	wordReady
	wordRefusal
	wordDuplicate
)

// preamble is one record of the handshake.
type preamble struct {
	word        word
	node        string // who speaks
	wanted      string // whom the dialler thinks to have reached
	incarnation uint64
	hello       []byte // or the text of a refusal
}

var (
	errStranger  = errors.New("no node of a cluster is at the other end")
	errVersion   = errors.New("no version of the protocol that both sides speak")
	errDuplicate = errors.New("there is another connection")
)

// refusal is what the peer's Admit, or the handshake itself, had against us.
type refusal struct{ node, text string }

func (r *refusal) Error() string { return fmt.Sprintf("refused by %s: %s", r.node, r.text) }

func (p *preamble) append(b []byte) []byte {
	body := []byte(nil)
	switch p.word {
	case wordHello, wordWelcome:
		body = appendShort(appendShort(body, p.node), p.wanted)
		body = binary.BigEndian.AppendUint64(body, p.incarnation)
		body = append(body, p.hello...)
	case wordRefusal:
		body = append(appendShort(body, p.node), p.hello...)
	}
	b = append(b, magic...)
	b = append(b, lowestVersion, highestVersion, byte(p.word), 0)
	b = binary.BigEndian.AppendUint32(b, uint32(len(body)))
	b = binary.BigEndian.AppendUint32(b, checksum(0, body))
	return append(b, body...)
}

// readPreamble reads exactly one record. A stranger is told from a node by the first
// 8 bytes.
func readPreamble(r io.Reader) (p preamble, err error) {
	head := make([]byte, preambleBytes)
	if _, err := io.ReadFull(r, head[:len(magic)]); err != nil {
		return p, err
	}
	if string(head[:len(magic)]) != magic {
		return p, fmt.Errorf("%w: it says %q", errStranger, head[:len(magic)])
	}
	if _, err := io.ReadFull(r, head[len(magic):]); err != nil {
		return p, err
	}
	size := binary.BigEndian.Uint32(head[12:])
	if size > mostBody {
		return p, fmt.Errorf("%w: %d bytes of hello", errStranger, size)
	}
	body := make([]byte, size)
	if _, err := io.ReadFull(r, body); err != nil {
		return p, err
	}
	if binary.BigEndian.Uint32(head[16:]) != checksum(0, body) {
		return p, fmt.Errorf("%w: the check is wrong", errStranger)
	}
	p.word = word(head[10])
	low, high := head[8], head[9]
	if (low > highestVersion || high < lowestVersion) && (p.word == wordHello || p.word == wordWelcome) {
		return p, fmt.Errorf("%w: %d to %d, here %d to %d", errVersion, low, high, lowestVersion, highestVersion)
	}
	return p, p.decode(body)
}

func (p *preamble) decode(body []byte) (err error) {
	switch p.word {
	case wordHello, wordWelcome:
		if p.node, body, err = readShort(body); err != nil {
			return err
		}
		if p.wanted, body, err = readShort(body); err != nil {
			return err
		}
		if len(body) < 8 {
			return errProtocol
		}
		p.incarnation, p.hello = binary.BigEndian.Uint64(body), body[8:]
	case wordRefusal:
		p.node, p.hello, err = readShort(body)
	case wordReady, wordDuplicate:
	default:
		err = fmt.Errorf("%w: word %d", errProtocol, p.word)
	}
	return err
}

func appendShort(b []byte, s string) []byte { return append(append(b, byte(len(s))), s...) }

func readShort(b []byte) (s string, rest []byte, err error) {
	if len(b) < 1 || len(b) < 1+int(b[0]) {
		return "", nil, errProtocol
	}
	n := 1 + int(b[0])
	return string(b[1:n]), b[n:], nil
}
