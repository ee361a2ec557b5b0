"""Videos of many containers, codecs, rates, formats of pixels and shapes."""

from __future__ import annotations

from tests.support.corpus import AV1, MPEG2, MPEG4, VP8, VP9, X264, X265, Case, cases

PAL = "bwdif=0:1,scale=768:576"
OPEN_GOP = "open-gop=1:keyint=24:min-keyint=24:bframes=4:scenecut=0"

CODECS = [
    *cases("h264.mp4 h264.mov h264.mkv h264.m4v h264.flv h264.avi h264.3gp", f"{X264} -c:a aac"),
    *cases("h264.ts h264.mts h264.m2ts", f"{X264} -c:a aac"),
    *cases("h264b.mp4 h264b.mkv h264b.ts h264b.mov", f"{X264} -preset medium -bf 3 -g 6 -c:a ac3"),
    *cases("hevc.mp4 hevc.mov hevc.mkv hevc.ts", f"{X265} -tag:v hvc1 -c:a aac"),
    *cases("mpeg4.mp4 mpeg4.mkv mpeg4.3gp mpeg4.3g2 mpeg4.mov", f"{MPEG4} -c:a aac"),
    *cases("mpeg4b.mkv", f"{MPEG4} -bf 2 -c:a mp3"),
    *cases("mpeg4b.avi mpeg4.avi", f"{MPEG4} -bf 2 -c:a pcm_s16le"),
    *cases("xvid.avi", "-c:v libxvid -qscale:v 2 -c:a pcm_s16le"),
    *cases("mpeg2.ts mpeg2.mpg mpeg2.vob mpeg2.mkv", f"{MPEG2} -bf 2 -r 25 -c:a mp2"),
    *cases("mpeg2.mxf", f"{MPEG2} -r 25 -c:a pcm_s16le"),
    *cases("mpeg2.m2v", f"{MPEG2} -r 25 -an"),
    *cases("mpeg1.mpg", "-c:v mpeg1video -qscale:v 2 -r 25 -c:a mp2"),
    *cases("vp8.webm vp8.mkv", f"{VP8} -c:a libvorbis"),
    *cases("vp9.webm vp9.mkv vp9.mp4", f"{VP9} -c:a libopus"),
    *cases("av1.mp4 av1.webm av1.mkv", f"{AV1} -c:a libopus"),
    *cases("svtav1.mp4", "-c:v libsvtav1 -preset 12 -crf 10 -svtav1-params enable-tf=0 -c:a aac"),
    *cases("prores.mov prores.mkv", "-c:v prores_ks -pix_fmt yuv422p10le -c:a pcm_s24le", source="deep"),
    *cases("dnxhr.mov dnxhr.mxf", "-c:v dnxhd -profile:v dnxhr_hq -pix_fmt yuv422p -s 256x120 -an"),
    *cases("mjpeg.avi mjpeg.mov mjpeg.mkv", "-c:v mjpeg -qscale:v 1 -pix_fmt yuvj420p -c:a pcm_s16le"),
    *cases("mjpeg444.avi", "-c:v mjpeg -qscale:v 1 -pix_fmt yuvj444p -an"),
    *cases("ffv1.mkv ffv1.avi", "-c:v ffv1 -c:a flac"),
    *cases("huff.avi huff.mkv", "-c:v huffyuv -pix_fmt yuv422p -c:a pcm_s16le"),
    *cases("ffvhuff.avi", "-c:v ffvhuff -c:a pcm_s16le"),
    *cases("ut.avi ut.mkv", "-c:v utvideo -c:a pcm_s16le"),
    *cases("raw.avi raw.nut", "-c:v rawvideo -c:a pcm_s16le"),
    *cases("rawuyvy.mov rawuyvy.avi", "-c:v rawvideo -pix_fmt uyvy422 -c:a pcm_s16le"),
    *cases("rawbgr.avi", "-c:v rawvideo -pix_fmt bgr24 -c:a pcm_s16le"),
    *cases("rawnv12.nut", "-c:v rawvideo -pix_fmt nv12 -an"),
    *cases("raw.y4m", "-an"),
    *cases("raw444.y4m", "-pix_fmt yuv444p -an"),
    *cases("png.mov png.mkv", "-c:v png -pix_fmt rgb24 -c:a pcm_s16le"),
    *cases("qtrle.mov", "-c:v qtrle -pix_fmt rgb24 -c:a pcm_s16le"),
    *cases("loop.gif", "-an -r 10"),
    *cases("theora.ogv theora.mkv", "-c:v libtheora -qscale:v 10 -c:a libvorbis"),
    *cases("wmv1.wmv", "-c:v wmv1 -qscale:v 2 -c:a wmav1"),
    *cases("wmv2.wmv wmv2.asf", "-c:v wmv2 -qscale:v 2 -c:a wmav2"),
    *cases("msmpeg4.avi msmpeg4.divx", "-c:v msmpeg4 -qscale:v 2 -c:a pcm_s16le -f avi"),
    *cases("flv1.flv", "-c:v flv1 -qscale:v 2 -c:a mp3 -ar 44100"),
    *cases("h263.3gp", "-c:v h263 -qscale:v 2 -s 176x144 -an", reference="scale=192:144", tolerance=4),
    *cases("h261.mkv", "-c:v h261 -qscale:v 2 -s 176x144 -r 30000/1001 -an"),
    *cases("cinepak.avi", "-c:v cinepak -pix_fmt rgb24 -an"),
    *cases("j2k.mkv j2k.mxf", "-c:v jpeg2000 -pix_fmt yuv444p -r 25 -an"),
    *cases("magic.avi magic.mkv", "-c:v magicyuv -pix_fmt yuv420p -an"),
    *cases("snow.avi", "-c:v snow -qscale:v 1 -strict -2 -an"),
    *cases("asv1.avi", "-c:v asv1 -qscale:v 1 -an"),
    *cases("zlib.avi", "-c:v zlib -pix_fmt bgr24 -an"),
    *cases("dv.avi dv.dv dv.mov", "-c:v dvvideo -r 25 -an", source="large", reference=PAL, tolerance=8),
]

RATES = [
    case
    for rate in ("8", "12", "12.5", "15", "16", "24000/1001", "25", "30000/1001", "48", "60000/1001", "120")
    for name in ("mp4", "mkv")
    for case in cases(
        f"rate{rate.replace('/', '_')}.{name}",
        f"-r {rate} {X264} -c:a pcm_s16le -f {name.replace('mkv', 'matroska').replace('mp4', 'mov')}",
    )
] + [
    *cases("rate16.webm", f"-r 16 {VP9} -an"),
    *cases("rate23.ts", f"-r 24000/1001 {X264} -an"),
    *cases("rate29.avi", f"-r 30000/1001 {MPEG4} -an"),
    *cases("rate59.flv", f"-r 60000/1001 {X264} -an"),
    *cases("rate2.gif", "-r 2 -an", source="long"),
    *cases("rate50.gif", "-r 50 -an"),
    *cases("rate29.mpg", f"-r 30000/1001 {MPEG2} -an"),
    *cases("rate23.mov", "-r 24000/1001 -c:v prores_ks -pix_fmt yuv422p10le -an"),
]

OFFSETS = [
    *cases("late.mkv late.mp4 late.webm", f"{VP9} -c:a libopus -output_ts_offset 2.5"),
    *cases("late.ts late.mov late.flv", f"{X264} -c:a aac -output_ts_offset 2.5"),
    *cases("early.mkv early.ts", f"{X264} -c:a aac -output_ts_offset 0.04"),
]
PIXELS = [
    *cases("p422.mp4 p422.mkv", f"{X264} -pix_fmt yuv422p -an"),
    *cases("p444.mp4 p444.mkv", f"{X264} -pix_fmt yuv444p -an"),
    *cases("p420_10.mp4 p420_10.mkv", f"{X264} -pix_fmt yuv420p10le -an", source="deep"),
    *cases("p422_10.mp4", f"{X264} -pix_fmt yuv422p10le -an", source="deep"),
    *cases("p444_10.mkv", f"{X264} -pix_fmt yuv444p10le -an", source="deep"),
    *cases("p420_12.mp4", f"{X265} -pix_fmt yuv420p12le -an", source="deep"),
    *cases("p444_12.mkv", f"{X265} -pix_fmt yuv444p12le -an", source="deep"),
    *cases("pgbr.mkv", f"{X265} -pix_fmt gbrp -an"),
    *cases("prgb.mp4", "-c:v libx264rgb -qp 0 -preset ultrafast -pix_fmt rgb24 -an"),
    *cases("pgray.mp4 pgray.mkv", f"{X264} -pix_fmt gray -an"),
    *cases("pgray10.mkv", "-c:v ffv1 -pix_fmt gray10le -an", source="deep"),
    *cases("pgray16.mkv", "-c:v ffv1 -pix_fmt gray16le -an", source="deep"),
    *cases("p411.mkv", "-c:v ffv1 -pix_fmt yuv411p -an"),
    *cases("p440.mkv", "-c:v ffv1 -pix_fmt yuv440p -an"),
    *cases("p16.mkv", "-c:v ffv1 -pix_fmt gbrp16le -an", source="deep"),
    *cases("p14.mkv", "-c:v ffv1 -pix_fmt yuv444p14le -an", source="deep"),
    *cases("v420_10.webm", f"{VP9} -pix_fmt yuv420p10le -an", source="deep"),
    *cases("v444.webm", f"{VP9} -pix_fmt yuv444p -an"),
    *cases("a420_10.mkv", f"{AV1} -pix_fmt yuv420p10le -an", source="deep"),
    *cases("full.mp4 full.mkv full.mov", f"-vf scale=out_range=pc {X264} -color_range pc -an"),
    *cases("fullj.mp4", f"{X264} -pix_fmt yuvj420p -an"),
]
MATRICES = [
    case
    for matrix in ("bt709", "smpte170m", "bt470bg", "smpte240m", "fcc")
    for name, codec in (("mp4", X264), ("mkv", X264), ("webm", VP9))
    for case in cases(
        f"m_{matrix}.{name}",
        f"-vf scale=out_color_matrix={matrix} {codec} -colorspace {matrix} -an",
    )
]
ALPHA = [
    *cases("alpha8.webm", f"{VP8} -pix_fmt yuva420p -auto-alt-ref 0 -an", source="clear"),
    *cases("alpha9.webm alpha9.mkv", f"{VP9} -pix_fmt yuva420p -an", source="clear"),
    *cases("alpha.mov", "-c:v prores_ks -pix_fmt yuva444p10le -an", source="clear"),
    *cases("alphapng.mov", "-c:v png -pix_fmt rgba -an", source="clear"),
    *cases("alphartle.mov", "-c:v qtrle -pix_fmt argb -an", source="clear"),
    *cases("alphaffv1.mkv", "-c:v ffv1 -pix_fmt bgra -an", source="clear"),
    *cases("alphaut.avi", "-c:v utvideo -pix_fmt gbrap -an", source="clear"),
]
SHAPES = [
    *cases("odd.mkv", "-c:v ffv1 -pix_fmt yuv444p -an", source="odd"),
    *cases("odd420.mkv", "-c:v ffv1 -an", source="odd"),
    *cases("odd444.mp4", f"{X264} -pix_fmt yuv444p -an", source="odd"),
    *cases("odd.webm", f"{VP9} -an", source="odd"),
    *cases("odd.gif", "-an -r 10", source="odd"),
    *cases("odd.mov", "-c:v png -pix_fmt rgb24 -an", source="odd"),
    *cases("tiny.mkv", "-vf scale=2:2 -c:v ffv1 -an"),
    *cases("line.mkv", "-vf scale=96:1 -pix_fmt yuv444p -c:v ffv1 -an"),
    *cases("turn90.mp4 turn90.mov", f"{X264} -metadata:s:v rotate=90 -an"),
    *cases("turn180.mp4", f"{X264} -metadata:s:v rotate=180 -an"),
    *cases("turn270.mov", f"{X264} -metadata:s:v rotate=270 -an"),
]
INTERLACED = "-vf tinterlace=interleave_top,setfield=tff -r 12 -flags +ilme+ildct"
DEINTERLACE = "bwdif=0,setfield=prog"
FIELDS = [
    *cases(
        "fields.mp4 fields.mkv", f"{INTERLACED} -c:v libx264 -crf 4 -an", reference=DEINTERLACE, tolerance=8
    ),
    *cases("fields.ts", f"{INTERLACED} -r 25 {MPEG2} -an", reference=DEINTERLACE, tolerance=8),
    *cases(
        "fields.mov",
        f"{INTERLACED} -c:v prores_ks -pix_fmt yuv422p10le -an",
        reference=DEINTERLACE,
        tolerance=8,
    ),
    *cases(
        "fields.mxf", f"{INTERLACED} -r 25 {MPEG2} -pix_fmt yuv422p -an", reference=DEINTERLACE, tolerance=8
    ),
]
"""Interlaced, top field first."""
ASPECTS = [
    *cases("wide.mp4 wide.mkv wide.mov", f"-vf setsar=4/3 {X264} -an", reference="scale=128:64", tolerance=4),
    *cases("tall.mp4 tall.mkv", f"-vf setsar=3/4 {X264} -an", reference="scale=72:64", tolerance=5),
    *cases("wide.ts wide.mpg", f"-vf setsar=4/3 {MPEG2} -r 25 -an", reference="scale=142:64", tolerance=4),
    *cases("wide.webm", f"-vf setsar=4/3 {VP9} -an", reference="scale=128:64", tolerance=4),
    *cases("wide.avi", f"-vf setsar=4/3 {MPEG4} -an", reference="scale=128:64", tolerance=4),
]
"""Pixels that are not square."""
CUT = [
    *cases("cut.mkv cut.ts cut.mp4 cut.flv", f"{X264} -g 12 -an", source="long", cut=0.6),
    *cases("cut.webm", f"{VP9} -an", source="long", cut=0.6),
    *cases("cut.avi", f"{MPEG4} -an", source="long", cut=0.6),
]
"""Files that lack their end."""
COPIES = [
    Case(name=name, options=options, source="long", copied=copied)
    for name, options, copied in (
        ("from.mkv", f"{X264} -g 24 -bf 2 -c:a aac", "-ss 1.3INPUT"),
        ("from.mp4", f"{X264} -g 24 -c:a aac", "-ss 1.0INPUT"),
        ("from.ts", f"{X264} -g 24 -bf 2 -c:a aac", "-ss 1.3INPUT"),
        ("until.mkv", f"{X264} -g 24 -bf 2 -c:a aac", "INPUT-t 1.7"),
        ("until.mp4", f"{X264} -g 24 -bf 2 -c:a aac", "INPUT-t 1.7"),
        ("open.mkv", f"-c:v libx265 -x265-params log-level=none:{OPEN_GOP} -an", "-ss 1.9INPUT"),
        ("fragment.mp4", f"{X264} -g 12 -an", "INPUT-movflags frag_keyframe+empty_moov"),
        ("dash.mp4", f"{X264} -g 12 -an", "INPUT-movflags dash+global_sidx -f mp4"),
        ("fast.mp4", f"{X264} -c:a aac", "INPUT-movflags faststart"),
        ("live.mkv", f"{X264} -c:a aac", "INPUT-live 1"),
        ("annexb.ts", f"{X264} -c:a aac", "INPUT-muxrate 5M"),
    )
]
PICTURES = [*CODECS, *RATES, *OFFSETS, *PIXELS, *MATRICES, *ALPHA, *SHAPES, *FIELDS, *ASPECTS, *COPIES]
"""Files whose pictures are those that ffmpeg decodes, at a constant rate."""
