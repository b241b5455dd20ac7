// Package locked encrypts the files of a zip archive under a password, as WinZip
// AES does (AE-2, AES-256; "AES Encryption Information", WinZip), and opens them
// again. 7-Zip, WinZip, Keka and libarchive open such archives too, so whoever
// downloads one needs nothing of ours.
//
// What is promised when things fail: a wrong password and a changed byte are both
// ErrOpen, told before the caller has seen a whole file but not before it has seen
// any: what was read counts only once reading ended without an error.
//
// What it does not do: the names, sizes and number of files stand in the archive as
// they are, so they must tell nothing. The format derives its keys with 1,000 rounds
// of PBKDF2, which is little: a password has to be random (NewPassword), not chosen.
package locked

import (
	"archive/zip"
	"compress/flate"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha1" //nolint:gosec // the format's: HMAC-SHA1 is not what SHA-1's collisions break
	"crypto/subtle"
	"encoding/base32"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"slices"
	"strings"

	"pricemanager/internal/secret"
)

// ErrOpen says that the password is not the archive's or that the file was changed.
var ErrOpen = errors.New("locked: wrong password, or the archive was changed")

// The format's figures for AES-256.
const (
	saltSize, keySize, checkSize, macSize = 16, 32, 2, 10

	rounds = 1000
	method = 99 // "AE-x": what compressed it stands in the extra field

	// Overhead is by how much a file grows, in bytes.
	Overhead = saltSize + checkSize + macSize
)

// NewPassword is one of 160 random bits, 32 characters that are easily typed.
func NewPassword(random io.Reader) (secret.Value, error) {
	var b [20]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return secret.Value{}, fmt.Errorf("locked: password: %w", err)
	}
	return secret.New(strings.ToLower(base32.StdEncoding.EncodeToString(b[:]))), nil
}

// Header makes h that of a file which Writer encrypts: one that CreateRaw takes,
// whose CompressedSize64 counts Overhead. A locked file has no CRC: it would say
// something about the content.
func Header(h *zip.FileHeader) {
	extra := []byte{0x01, 0x99, 7, 0, 2, 0, 'A', 'E', 3, 0, 0}
	binary.LittleEndian.PutUint16(extra[9:], h.Method)
	h.Extra = append(h.Extra, extra...)
	h.Method, h.CRC32, h.ReaderVersion = method, 0, 51
	h.Flags |= 1
}

// keys are what one file is encrypted and authenticated with.
func keys(password secret.Value, salt []byte) (stream cipher.Stream, mac hash.Hash, check []byte, err error) {
	k, err := pbkdf2.Key(sha1.New, password.Reveal(), salt, rounds, 2*keySize+checkSize)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("locked: %w", err)
	}
	block, err := aes.NewCipher(k[:keySize])
	if err != nil {
		return nil, nil, nil, fmt.Errorf("locked: %w", err)
	}
	return &counter{block: block, at: aes.BlockSize}, hmac.New(sha1.New, k[keySize:2*keySize]), k[2*keySize:], nil
}

// counter is AES in counter mode with a counter that grows from its first byte on,
// beginning with 1: the one thing in which the format differs from crypto/cipher's.
type counter struct {
	block cipher.Block
	n     uint64
	pad   [aes.BlockSize]byte
	at    int
}

func (c *counter) XORKeyStream(dst, src []byte) {
	for len(src) > 0 {
		if c.at == len(c.pad) {
			c.n++
			var in [aes.BlockSize]byte
			binary.LittleEndian.PutUint64(in[:], c.n)
			c.block.Encrypt(c.pad[:], in[:])
			c.at = 0
		}
		n := subtle.XORBytes(dst, src, c.pad[c.at:])
		c.at += n
		dst, src = dst[n:], src[n:]
	}
}

// Writer encrypts what is written to it, which is what Method says: compressed.
type Writer struct {
	to     io.Writer
	stream cipher.Stream
	mac    hash.Hash
	buf    []byte
}

// NewWriter begins a file.
func NewWriter(to io.Writer, password secret.Value, random io.Reader) (*Writer, error) {
	salt := make([]byte, saltSize)
	if _, err := io.ReadFull(random, salt); err != nil {
		return nil, fmt.Errorf("locked: salt: %w", err)
	}
	stream, mac, check, err := keys(password, salt)
	if err != nil {
		return nil, err
	}
	if _, err := to.Write(slices.Concat(salt, check)); err != nil {
		return nil, err
	}
	return &Writer{to: to, stream: stream, mac: mac, buf: make([]byte, 32<<10)}, nil
}

// Write encrypts p.
func (w *Writer) Write(p []byte) (n int, err error) {
	for len(p) > 0 {
		part := w.buf[:min(len(p), len(w.buf))]
		w.stream.XORKeyStream(part, p[:len(part)])
		_, _ = w.mac.Write(part) // a hash takes everything
		if _, err := w.to.Write(part); err != nil {
			return n, err
		}
		n, p = n+len(part), p[len(part):]
	}
	return n, nil
}

// Close ends the file, not what it is written to.
func (w *Writer) Close() error {
	_, err := w.to.Write(w.mac.Sum(nil)[:macSize])
	return err
}

// Locked reports whether the file is encrypted.
func Locked(f *zip.File) bool { return f.Method == method }

// Open returns the content of a file, locked or not. Errors are ErrOpen, or those of
// reading the archive.
func Open(f *zip.File, password secret.Value) (io.ReadCloser, error) {
	if !Locked(f) {
		return f.Open()
	}
	compressed, err := packed(f)
	if err != nil {
		return nil, err
	}
	raw, err := f.OpenRaw()
	if err != nil {
		return nil, fmt.Errorf("locked: %w", err)
	}
	var head [saltSize + checkSize]byte
	if _, err := io.ReadFull(raw, head[:]); err != nil {
		return nil, ErrOpen
	}
	stream, mac, check, err := keys(password, head[:saltSize])
	if err != nil {
		return nil, err
	}
	if subtle.ConstantTimeCompare(check, head[saltSize:]) != 1 {
		return nil, ErrOpen
	}
	in := &reader{raw: raw, left: int64(f.CompressedSize64) - Overhead, stream: stream, mac: mac}
	if !compressed {
		return io.NopCloser(in), nil
	}
	return &inflater{flate.NewReader(in), in}, nil
}

// Find opens the file of that name, or fails with fs.ErrNotExist.
func Find(z *zip.Reader, name string, password secret.Value) (io.ReadCloser, error) {
	for _, f := range z.File {
		if f.Name == name {
			return Open(f, password)
		}
	}
	return nil, fmt.Errorf("locked: %s: %w", name, fs.ErrNotExist)
}

// packed reads the extra field: whether the content is deflated.
func packed(f *zip.File) (bool, error) {
	for extra := f.Extra; len(extra) >= 4; {
		id, size := binary.LittleEndian.Uint16(extra), int(binary.LittleEndian.Uint16(extra[2:]))
		if size > len(extra)-4 {
			break
		}
		body := extra[4 : 4+size]
		extra = extra[4+size:]
		if id != 0x9901 {
			continue
		}
		if size != 7 || string(body[2:4]) != "AE" || body[4] != 3 || f.CompressedSize64 < Overhead || f.CompressedSize64 > 1<<62 {
			break
		}
		switch binary.LittleEndian.Uint16(body[5:]) {
		case zip.Deflate:
			return true, nil
		case zip.Store:
			return false, nil
		}
		break
	}
	return false, fmt.Errorf("%w: %s is locked in a way that is not AES-256", ErrOpen, f.Name)
}

// reader decrypts, and refuses the end when the authentication code is wrong.
type reader struct {
	raw    io.Reader
	left   int64
	stream cipher.Stream
	mac    hash.Hash
	ended  error
}

func (r *reader) Read(p []byte) (int, error) {
	if r.left == 0 {
		if r.ended == nil {
			r.ended = r.end()
		}
		return 0, r.ended
	}
	if int64(len(p)) > r.left {
		p = p[:r.left]
	}
	n, err := r.raw.Read(p)
	_, _ = r.mac.Write(p[:n]) // a hash takes everything
	r.stream.XORKeyStream(p[:n], p[:n])
	r.left -= int64(n)
	if errors.Is(err, io.EOF) {
		err = nil
		if r.left > 0 {
			err = ErrOpen
		}
	}
	return n, err
}

func (r *reader) end() error {
	var code [macSize]byte
	if _, err := io.ReadFull(r.raw, code[:]); err != nil || !hmac.Equal(code[:], r.mac.Sum(nil)[:macSize]) {
		return ErrOpen
	}
	return io.EOF
}

// inflater inflates, and reads what is under it to its end, where it is checked.
type inflater struct {
	io.ReadCloser
	under *reader
}

func (r *inflater) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	if err == nil {
		return n, nil
	}
	if _, cerr := io.Copy(io.Discard, r.under); cerr != nil {
		return n, cerr
	}
	if !errors.Is(err, io.EOF) {
		err = ErrOpen
	}
	return n, err
}
