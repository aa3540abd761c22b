// An RTSP camera of another make: Motion JPEG by gortsplib 4.12.0. It draws its own clock, and its
// sender reports are wrong: that version writes the fraction of a second in the wrong unit.
package main

import (
	"bytes"
	"crypto/tls"
	"flag"
	"fmt"
	"image"
	"image/jpeg"
	"log"
	"time"

	"github.com/bluenviron/gortsplib/v4"
	"github.com/bluenviron/gortsplib/v4/pkg/base"
	"github.com/bluenviron/gortsplib/v4/pkg/description"
	"github.com/bluenviron/gortsplib/v4/pkg/format"
)

const (
	width, height = 320, 176
	cells, cell   = 8, 16
	clockRate     = 90000
)

type camera struct{ stream *gortsplib.ServerStream }

func (c *camera) OnDescribe(_ *gortsplib.ServerHandlerOnDescribeCtx) (*base.Response, *gortsplib.ServerStream, error) {
	return &base.Response{StatusCode: base.StatusOK}, c.stream, nil
}

func (c *camera) OnSetup(_ *gortsplib.ServerHandlerOnSetupCtx) (*base.Response, *gortsplib.ServerStream, error) {
	return &base.Response{StatusCode: base.StatusOK}, c.stream, nil
}

func (c *camera) OnPlay(_ *gortsplib.ServerHandlerOnPlayCtx) (*base.Response, error) {
	return &base.Response{StatusCode: base.StatusOK}, nil
}

// drawn returns a grey picture whose corner says in black and white when it was drawn.
func drawn(now time.Time) []byte {
	picture := image.NewYCbCr(image.Rect(0, 0, width, height), image.YCbCrSubsampleRatio420)
	for i := range picture.Y {
		picture.Y[i] = 0x7e
	}
	for i := range picture.Cb {
		picture.Cb[i], picture.Cr[i] = 0x80, 0x80
	}
	for y := 0; y < cells*cell; y++ {
		for x := 0; x < cells*cell; x++ {
			bit := now.UnixMilli() >> (y/cell*cells + x/cell) & 1
			picture.Y[picture.YOffset(x, y)] = byte(bit * 255)
		}
	}
	var encoded bytes.Buffer
	if err := jpeg.Encode(&encoded, picture, &jpeg.Options{Quality: 75}); err != nil {
		log.Fatal(err)
	}
	return encoded.Bytes()
}

func main() {
	port := flag.Int("port", 0, "where it listens, on the loopback address")
	rate := flag.Float64("rate", 25, "frames a second that it ships")
	stamped := flag.Float64("stamped", 25, "frames a second that its media time tells of")
	offset := flag.Duration("offset", 0, "its clock minus ours, in its reports")
	certificate := flag.String("cert", "", "its certificate, PEM: it speaks TLS then")
	key := flag.String("key", "", "its private key, PEM")
	title := flag.String("title", "Camera", "what it calls itself")
	flag.Parse()

	media := &description.Media{Type: description.MediaTypeVideo, Formats: []format.Format{&format.MJPEG{}}}
	handler := &camera{}
	server := &gortsplib.Server{Handler: handler, RTSPAddress: fmt.Sprintf("127.0.0.1:%d", *port)}
	if *certificate != "" {
		pair, err := tls.LoadX509KeyPair(*certificate, *key)
		if err != nil {
			log.Fatal(err)
		}
		server.TLSConfig = &tls.Config{Certificates: []tls.Certificate{pair}}
	}
	if err := server.Start(); err != nil {
		log.Fatal(err)
	}
	handler.stream = gortsplib.NewServerStream(server, &description.Session{Title: *title, Medias: []*description.Media{media}})
	encoder, err := media.Formats[0].(*format.MJPEG).CreateEncoder()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("ready")
	begun := time.Now()
	for number := 0; ; number++ {
		time.Sleep(time.Until(begun.Add(time.Duration(float64(number) / *rate * float64(time.Second)))))
		now := time.Now()
		packets, err := encoder.Encode(drawn(now))
		if err != nil {
			log.Fatal(err)
		}
		for _, packet := range packets {
			packet.Timestamp = uint32(uint64(float64(number) / *stamped * clockRate))
			if err := handler.stream.WritePacketRTPWithNTP(media, packet, now.Add(*offset)); err != nil {
				log.Fatal(err)
			}
		}
	}
}
