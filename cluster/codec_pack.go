package cluster

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
)

const (
	// packFrom is the size from which an entry is packed. Documents are that large, and
	// nothing that hurries is.
	packFrom = 32 << 10
	// largestUnpacked bounds what an entry may become when it is unpacked: a few bytes could
	// otherwise fill every member's memory.
	largestUnpacked = 128 << 20
)

// packMark is how a packed entry begins; one that is not packed begins with a bracket.
var packMark = []byte{0x1f, 0x8b}

// plainJSON writes JSON without the escapes that are for web pages: of each sign < in a
// definition they make six bytes.
func plainJSON(value any) ([]byte, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(text.Bytes(), []byte{'\n'}), nil
}

// packed makes a large entry small: a document holds each definition as the person wrote it
// and under its hash, and definitions are much alike.
func packed(text []byte) ([]byte, error) {
	if len(text) < packFrom {
		return text, nil
	}
	if len(text) > largestUnpacked {
		return nil, fmt.Errorf("an entry of %d bytes is larger than the limit of %d", len(text), largestUnpacked)
	}
	var small bytes.Buffer
	writer, err := gzip.NewWriterLevel(&small, gzip.BestSpeed)
	if err != nil {
		return nil, err
	}
	if _, err := writer.Write(text); err != nil {
		return nil, err
	}
	if err := writer.Close(); err != nil {
		return nil, err
	}
	return small.Bytes(), nil
}

// unpacked is the text of an entry, packed or not.
func unpacked(data []byte) ([]byte, error) {
	if !bytes.HasPrefix(data, packMark) {
		return data, nil
	}
	reader, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	var text bytes.Buffer
	if _, err := text.ReadFrom(&bounded{reader: reader, left: largestUnpacked}); err != nil {
		return nil, err
	}
	return text.Bytes(), nil
}

// bounded ends with an error where there is more than may be.
type bounded struct {
	reader *gzip.Reader
	left   int
}

// Read implements what a buffer reads from.
func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.reader.Read(p)
	if b.left -= n; b.left < 0 {
		return n, fmt.Errorf("it unpacks to more than %d bytes", largestUnpacked)
	}
	return n, err
}
