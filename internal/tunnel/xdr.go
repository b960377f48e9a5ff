package tunnel

import "encoding/binary"

// reader takes apart what libvirt's calls carry (XDR, RFC 4506): numbers of four bytes, and texts
// that are filled up to as many. It never reads beyond what is there; what does not fit breaks it,
// and from then on it reads nothing.
type reader struct {
	rest   []byte
	broken bool
}

// take is the next bytes; none when there are fewer.
func (r *reader) take(length uint64) []byte {
	if r.broken || length > uint64(len(r.rest)) {
		r.rest, r.broken = nil, true
		return nil
	}
	taken := r.rest[:length]
	r.rest = r.rest[length:]
	return taken
}

func (r *reader) word() uint32 {
	if four := r.take(4); four != nil {
		return binary.BigEndian.Uint32(four)
	}
	return 0
}

// text is the next text, which may have so many bytes.
func (r *reader) text(most uint32) string {
	length := r.word()
	if length > most {
		r.rest, r.broken = nil, true
		return ""
	}
	padded := r.take((uint64(length) + 3) / 4 * 4)
	if padded == nil {
		return ""
	}
	return string(padded[:length])
}
