"""Audio of many containers, codecs and layouts, and videos with a beep at a white frame."""

from __future__ import annotations

from tests.support.corpus import MPEG2, MPEG4, VP9, X264, Case

_LAYOUTS = "mono stereo 2.1 3.0 4.0 quad 5.0 5.1 5.1(side) 6.1 7.1"
_AUDIO = {
    "aac": "m4a mp4 mov mkv aac ts flv 3gp mka", "libmp3lame": "mp3 mkv avi mp4 mka",
    "libopus": "opus webm mkv ogg", "libvorbis": "ogg webm mkv oga", "flac": "flac mkv ogg",
    "flac -strict -2": "mp4", "alac": "m4a mov caf", "ac3": "ac3 mkv mp4 ts", "eac3": "eac3 mkv mp4",
    "mp2": "mp2 ts mpg", "wmav2": "wma asf", "pcm_s16le": "wav mkv mov avi caf w64",
    "pcm_s16be": "aiff au mov", "pcm_s24le": "wav mkv mov", "pcm_s32le": "wav", "pcm_f32le": "wav mkv mov",
    "pcm_f64le": "wav", "pcm_u8": "wav avi", "pcm_mulaw": "wav au", "pcm_alaw": "wav", "adpcm_ms": "wav",
    "adpcm_ima_wav": "wav", "wavpack": "wv mkv", "tta": "tta mkv", "dca -strict -2": "dts mkv",
    "truehd -strict -2": "mkv", "mlp -strict -2": "mlp", "speex -ar 32000 -ac 1": "spx ogg",
}  # fmt: skip
AUDIO = [
    Case(name=f"{codec.split()[0]}.{suffix}", options=f"-vn -c:a {codec}")
    for codec, suffixes in _AUDIO.items()
    for suffix in suffixes.split()
] + [
    Case(name=f"layout{number}.{suffix}", options=f"-vn -af pan={layout}|FL=c0|FR=c1 -c:a {codec}")
    for number, layout in enumerate(_LAYOUTS.split())
    for suffix, codec in (("wav", "pcm_s16le"), ("mkv", "flac"), ("m4a", "alac"))
    if layout != "mono"
]
"""Audio alone."""

HOLE = "-vf select='lt(n,6)+gt(n,17)' -vsync vfr"
DROPS = "-vf select='mod(n,7)' -vsync vfr"
RESTING = "-vf select='not(between(n,25,40))' -vsync vfr"
_SYNC = {
    "mkv mp4 mov ts flv": ["", HOLE, DROPS, RESTING, "-bf 3 -g 12", "-r 30000/1001", "-output_ts_offset 3"],
    "m2ts 3gp": ["", "-r 25"],
}
SYNC = [
    Case(name=f"sync{number}.{suffix}", source="flash", options=f"{X264} -c:a aac {options}")
    for suffixes, forms in _SYNC.items()
    for number, options in enumerate(forms)
    for suffix in suffixes.split()
] + [
    Case(name=f"sync{name}", source="flash", options=options)
    for name, options in (
        (".avi", f"{MPEG4} -c:a mp3"), ("pcm.avi", f"{MPEG4} -bf 2 -c:a pcm_s16le"),
        (".webm", f"{VP9} -c:a libopus"), ("hole.webm", f"{VP9} -c:a libvorbis {HOLE}"),
        (".ogv", "-c:v libtheora -c:a libvorbis"), (".wmv", "-c:v wmv2 -c:a wmav2"),
        (".mpg", f"{MPEG2} -r 25 -c:a mp2"), (".vob", f"{MPEG2} -r 25 -bf 2 -c:a ac3"),
        (".mxf", f"{MPEG2} -r 25 -c:a pcm_s16le"), ("opus.mp4", f"{X264} -c:a libopus"),
        ("flac.mkv", f"{X264} -c:a flac"), ("mp3.mp4", f"{X264} -c:a mp3"), ("ac3.mkv", f"{X264} -c:a ac3"),
        (".mov", "-c:v prores_ks -pix_fmt yuv422p10le -c:a pcm_s24le"),
        ("late.mkv", f"-af atrim=start=0.7 {X264} -c:a flac"),
        ("late.mp4", f"-af atrim=start=0.7 {X264} -c:a aac"),
        ("early.mkv", f"-vf trim=start=0.6 {X264} -c:a flac"),
        ("early.mp4", f"-vf trim=start=0.6 {X264} -c:a aac"),
        ("gap.mkv", f"-af aselect='not(between(t,0.2,0.8))' {X264} -c:a flac"),
        ("gap.mp4", f"-af aselect='not(between(t,0.2,0.8))' {X264} -c:a aac"),
    )
]  # fmt: skip
"""Files in which a white frame and a beep are together, in a video that may have a variable rate."""
