#!/usr/bin/env bash
# Make the sample videos in this folder again, byte for byte.
#
#   ./make_samples.sh            write them here
#   ./make_samples.sh OTHER_DIR  write them somewhere else, to compare
#
# Needs ffmpeg with libx264 and drawtext, and the DejaVu fonts (Debian and
# Ubuntu: apt install ffmpeg fonts-dejavu-core). The same versions of ffmpeg
# and x264 give the same bytes; other versions give the same pictures.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
out=${1:-$here}
fonts=${FONTS:-/usr/share/fonts/truetype/dejavu}

# label NAME HEIGHT: the filters that draw the name (bottom left) and a running
# clock (top right) on a picture HEIGHT pixels high. A person can then see which
# video came back from the file system, and that no part of it is missing.
label() {
    local name=$1 height=$2
    local box="box=1:boxcolor=black@0.55:boxborderw=$((height / 45)):fontcolor=white"
    local edge=$((height / 18))
    local clock='%{eif\:t/60\:d\:2}\:%{eif\:mod(t,60)\:d\:2}.%{eif\:mod(round(t*100),100)\:d\:2}'
    printf '%s,%s' \
        "drawtext=fontfile=$fonts/DejaVuSansMono-Bold.ttf:fontsize=$((height / 9)):$box:x=w-tw-$edge:y=$edge:text='$clock'" \
        "drawtext=fontfile=$fonts/DejaVuSans.ttf:fontsize=$((height / 14)):$box:x=$edge:y=h-th-$edge:text='$name.mp4'"
}

# encode NAME SECONDS HEIGHT QUALITY SCENE: film a scene of the filter library.
#   -bf 0            every frame is shown in the order in which it is stored, so
#                    a player needs no table of reordering (ctts) ...
#   -use_editlist 0  ... and no edit list; dfslab/_mp4.py counts on both
#   -g 50            a frame to start from every two seconds at the latest
#   +faststart       the tables stand before the pictures: plays while it loads
#   bitexact, one thread, no metadata: nothing of this computer or of today
encode() {
    local name=$1 seconds=$2 height=$3 quality=$4 scene=$5
    ffmpeg -hide_banner -loglevel error -nostdin -y \
        -filter_threads 1 -f lavfi -i "$scene,$(label "$name" "$height")" \
        -t "$seconds" -an -c:v libx264 -preset slow -crf "$quality" \
        -pix_fmt yuv420p -bf 0 -g 50 -threads 1 \
        -fflags +bitexact -flags:v +bitexact -map_metadata -1 \
        -use_editlist 0 -movflags +faststart \
        "$out/$name.mp4"
    printf '%-22s %9d bytes\n' "$name.mp4" "$(stat -c %s "$out/$name.mp4")"
}

mkdir -p "$out"

# A test card with moving bars and blocks.
encode test-card 4 180 22 \
    "testsrc2=size=320x180:rate=25"

# Conway's Game of Life; cells leave a trail as they die. Drawn small and
# enlarged without smoothing, so that a cell is a square of five pixels.
encode game-of-life 7 270 31 \
    "life=size=96x54:rate=10:seed=42:ratio=0.25:mold=10:life_color=#ffd24a:death_color=#b3264a:mold_color=#10183a,scale=480:270:flags=neighbor,fps=25"

# Sine waves of red, green and blue that drift through each other. Computed
# small, a formula for every pixel being slow, and enlarged smoothly.
red="r='128+127*sin(X/17+T*0.9+2*sin(Y/23+T*0.6))'"
green="g='110+100*sin(Y/19-T*0.7+2*sin(X/29-T*0.5))'"
blue="b='140+115*sin((X+Y)/31+T*1.1+hypot(X-80,Y-45)/16)'"
encode color-waves 10 360 20 \
    "color=size=160x90:rate=25,format=gbrp,geq=$red:$green:$blue,scale=640:360:flags=bicubic"

# A dive into the Mandelbrot set, down to a small copy of the whole.
encode mandelbrot-zoom 20 720 31 \
    "mandelbrot=size=960x540:rate=25:start_scale=3:end_scale=0.02:end_pts=500:start_x=-0.1592:start_y=-1.0317:inner=black:maxiter=300,gblur=1,scale=1280:720:flags=bicubic"
