package watchdog

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// disk is a device for fence messages, read and written past every cache.
type disk struct {
	path   string
	file   *os.File
	sector int
	// page is aligned as direct access wants it.
	page []byte
}

const (
	plainSector = 512
	pageSize    = 4096
)

// openDisk returns a disk. Its methods may be used by one goroutine at a time.
func openDisk(path string) (*disk, error) {
	file, err := os.OpenFile(path, os.O_RDWR|unix.O_DIRECT|unix.O_SYNC|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	d := &disk{path: path, file: file, sector: plainSector}
	if size, err := unix.IoctlGetInt(int(file.Fd()), unix.BLKSSZGET); err == nil {
		d.sector = size
	}
	if d.sector < plainSector || d.sector > pageSize {
		_ = file.Close()
		return nil, fmt.Errorf("%s has sectors of %d bytes", path, d.sector)
	}
	d.page, err = unix.Mmap(-1, 0, pageSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		_ = file.Close()
		return nil, err
	}
	return d, nil
}

func (d *disk) close() {
	_ = d.file.Close()
	_ = unix.Munmap(d.page)
}

func (d *disk) read(sector int) ([]byte, error) {
	n, err := d.file.ReadAt(d.page[:d.sector], int64(sector)*int64(d.sector))
	if err != nil || n != d.sector {
		return nil, fmt.Errorf("%s: sector %d cannot be read: %w", d.path, sector, errors.Join(err, io.ErrUnexpectedEOF))
	}
	return bytes.Clone(d.page[:d.sector]), nil
}

func (d *disk) write(sector int, content []byte) error {
	copy(d.page[:d.sector], content)
	n, err := d.file.WriteAt(d.page[:d.sector], int64(sector)*int64(d.sector))
	if err != nil || n != d.sector {
		return fmt.Errorf("%s: sector %d cannot be written: %w", d.path, sector, errors.Join(err, io.ErrShortWrite))
	}
	return nil
}

func (d *disk) header() (Header, error) {
	sector, err := d.read(0)
	if err != nil {
		return Header{}, err
	}
	h, err := decodeHeader(sector)
	if err == nil {
		err = h.check(d.sector)
	}
	if err != nil {
		return Header{}, fmt.Errorf("%s: %w", d.path, err)
	}
	return h, nil
}

// errNoSlot is returned when a node has no place on the disk.
var errNoSlot = errors.New("the node has no slot on the disk, so it does not watch it")

// find returns a node's slot.
func (d *disk) find(h Header, node string) (int, error) {
	found := -1
	for slot := range h.Slots {
		sector, err := d.read(nodeSector(slot))
		if err != nil {
			return 0, err
		}
		// sbd does not tell upper from lower case either.
		if !strings.EqualFold(decodeNode(sector), node) {
			continue
		}
		if found >= 0 {
			return 0, fmt.Errorf("%s: %s has two slots, %d and %d; free one with sbd", d.path, node, found, slot)
		}
		found = slot
	}
	if found < 0 {
		return 0, fmt.Errorf("%s: %s: %w", d.path, node, errNoSlot)
	}
	return found, nil
}

// allocate finds or takes a slot. Nothing on a disk is exclusive: what was
// written is read back after the time in which others may have written too.
func (d *disk) allocate(ctx context.Context, h Header, node string, now func() time.Duration) (int, error) {
	if node == "" || len(node) >= nameLength {
		return 0, fmt.Errorf("%q does not fit into a slot, %d bytes at most", node, nameLength-1)
	}
	for range h.Slots {
		slot, err := d.find(h, node)
		if !errors.Is(err, errNoSlot) {
			return slot, err
		}
		if slot, err = d.firstUnused(h); err != nil {
			return 0, err
		}
		if err := d.write(mailSector(slot), Mail{}.encode(d.sector)); err != nil {
			return 0, err
		}
		if err := d.write(nodeSector(slot), encodeNode(node, d.sector)); err != nil {
			return 0, err
		}
		if err := sleepUntil(ctx, now, now()+h.Allocate); err != nil {
			return 0, err
		}
	}
	return 0, fmt.Errorf("%s: others take every slot that is tried", d.path)
}

func (d *disk) firstUnused(h Header) (int, error) {
	for slot := range h.Slots {
		sector, err := d.read(nodeSector(slot))
		if err != nil {
			return 0, err
		}
		if sector[0] == 0 {
			return slot, nil
		}
	}
	return 0, fmt.Errorf("%s: all %d slots are taken", d.path, h.Slots)
}

func (d *disk) mail(slot int) (Mail, error) {
	sector, err := d.read(mailSector(slot))
	if err != nil {
		return Mail{}, err
	}
	return decodeMail(sector), nil
}

// post writes a message and reads it back.
func (d *disk) post(slot int, mail Mail) error {
	want := mail.encode(d.sector)
	if err := d.write(mailSector(slot), want); err != nil {
		return err
	}
	got, err := d.read(mailSector(slot))
	if err == nil && !bytes.Equal(got, want) {
		err = fmt.Errorf("%s: another message is there than was written: %s", d.path, decodeMail(got).Command)
	}
	return err
}

// wipe zeroes the first sectors, and a little more: whole pages, because each
// write waits for the disk.
func (d *disk) wipe(sectors int) error {
	clear(d.page)
	for at := 0; at < sectors*d.sector; at += pageSize {
		if _, err := d.file.WriteAt(d.page, int64(at)); err != nil {
			return fmt.Errorf("%s: cannot be wiped: %w", d.path, err)
		}
	}
	return nil
}

// Format makes a disk anew for fence messages and wipes its slots; whatever
// was on its first half megabyte is lost. Sector size and slots are filled in.
// No node may be watching it.
func Format(path string, h Header) error {
	d, err := openDisk(path)
	if err != nil {
		return err
	}
	defer d.close()
	h.SectorSize, h.Slots = d.sector, slotCount
	if err := h.check(d.sector); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if h.UUID == [16]byte{} {
		_, _ = rand.Read(h.UUID[:])
		h.UUID[6], h.UUID[8] = h.UUID[6]&0x0f|0x40, h.UUID[8]&0x3f|0x80
	}
	if err := d.wipe(2*slotCount + 1); err != nil {
		return err
	}
	// Last, so that a disk that was half made has no header.
	return d.write(0, h.encode())
}
