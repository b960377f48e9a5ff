package recorder

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"syscall"
)

// Limits of a folder of records. The oldest go first.
type Limits struct {
	// Files and Bytes are the most that lie there.
	Files int
	Bytes int64
	// Spare is the room that the volume must have left: the log lies on it too, and
	// needs it more.
	Spare int64
}

func (l Limits) withDefaults() Limits {
	if l.Files == 0 {
		l.Files = 256
	}
	if l.Bytes == 0 {
		l.Bytes = 32 << 20
	}
	if l.Spare == 0 {
		l.Spare = 256 << 20
	}
	return l
}

const (
	suffix         = ".plan.json.gz"
	unfinishedName = ".unfinished"
)

var errNoRoom = errors.New("the volume has little room left, and the log needs it")

// namePattern: a counter that gives the order, because clocks can step back; then
// the State's index and the time, for people.
var namePattern = regexp.MustCompile(`^([0-9]{12})-index-[0-9]+-[0-9]{8}T[0-9]{6}Z\.plan\.json\.gz$`)

// List returns the paths of a folder's records, oldest first. A folder that is
// not there has none.
func List(folder string) ([]string, error) {
	entries, err := os.ReadDir(folder) // sorted by name
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list the records of plans: %w", err)
	}
	var paths []string
	for _, entry := range entries {
		if namePattern.MatchString(entry.Name()) && entry.Type().IsRegular() {
			paths = append(paths, filepath.Join(folder, entry.Name()))
		}
	}
	return paths, nil
}

// Read reads one record. Errors are those of Decode, and of reading the file.
func Read(path string) (Record, error) {
	packed, err := readPacked(path)
	if err != nil {
		return Record{}, err
	}
	record, err := Decode(packed)
	if err != nil {
		return Record{}, fmt.Errorf("%s: %w", path, err)
	}
	return record, nil
}

func readPacked(path string) ([]byte, error) {
	source, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read the record of a plan: %w", err)
	}
	defer source.Close()
	packed, err := io.ReadAll(io.LimitReader(source, largestPacked+1))
	if err != nil {
		return nil, fmt.Errorf("read the record of a plan: %w", err)
	}
	return packed, nil
}

// store puts a record into the folder and the oldest ones out. Nothing is forced
// to the disk: that would delay the log's own writes, and a record that a power
// cut tore is told by the reader.
func store(folder string, limits Limits, record Record, packed []byte) error {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return fmt.Errorf("write the record of a plan: %w", err)
	}
	if int64(len(packed)) > limits.Bytes {
		return fmt.Errorf("%w: %d bytes, all records together may have %d", ErrTooLarge, len(packed), limits.Bytes)
	}
	if err := enoughRoom(folder, limits.Spare); err != nil {
		return err
	}
	present, err := List(folder)
	if err != nil {
		return err
	}
	// Room is made before, so that the limit holds at every moment.
	if err := makeRoom(present, limits, int64(len(packed))); err != nil {
		return err
	}
	name := fmt.Sprintf("%012d-index-%d-%s%s", nextNumber(present), record.Planned.State.Index,
		record.At.UTC().Format("20060102T150405Z"), suffix)
	// One name for what is unfinished, so that crashes leave one such file at most.
	unfinished := filepath.Join(folder, unfinishedName)
	if err := os.Remove(unfinished); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("write the record of a plan: %w", err)
	}
	if err := os.WriteFile(unfinished, packed, 0o600); err != nil {
		return fmt.Errorf("write the record of a plan: %w", err)
	}
	if err := os.Rename(unfinished, filepath.Join(folder, name)); err != nil {
		return fmt.Errorf("write the record of a plan: %w", err)
	}
	return nil
}

func enoughRoom(folder string, spare int64) error {
	var volume syscall.Statfs_t
	if err := syscall.Statfs(folder, &volume); err != nil {
		return fmt.Errorf("ask for the room in %s: %w", folder, err)
	}
	if free := int64(volume.Bavail) * volume.Bsize; free < spare {
		return fmt.Errorf("%w: %d MiB", errNoRoom, free>>20)
	}
	return nil
}

func nextNumber(present []string) uint64 {
	if len(present) == 0 {
		return 1
	}
	digits := namePattern.FindStringSubmatch(filepath.Base(present[len(present)-1]))
	number, err := strconv.ParseUint(digits[1], 10, 64)
	if err != nil {
		return 1
	}
	return number + 1
}

// makeRoom deletes the oldest until one more of that size fits.
func makeRoom(present []string, limits Limits, size int64) error {
	sizes := make([]int64, len(present))
	total := size
	for i, path := range present {
		information, err := os.Stat(path)
		if err != nil {
			return fmt.Errorf("look at the records of plans: %w", err)
		}
		sizes[i] = information.Size()
		total += sizes[i]
	}
	for i, path := range present {
		if len(present)-i < limits.Files && total <= limits.Bytes {
			return nil
		}
		if err := os.Remove(path); err != nil {
			return fmt.Errorf("delete the oldest record of a plan: %w", err)
		}
		total -= sizes[i]
	}
	return nil
}
