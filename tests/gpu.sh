#!/usr/bin/env bash
# Whether a card computes what the CPU computes, and how fast it does, beside PyTorch on the same card.
#
#   tests/gpu.sh [--device cuda] [--size reference] [--programs FOLDER]
#   tests/gpu.sh [--device cuda] --build FOLDER
#
# The device is cuda, cuda:N, vulkan or vulkan:N, which decides the feature that is built, or cpu, to try the script
# out. With --build the programs are only built, and put into FOLDER; on a machine without a compiler --programs takes
# them from there. Sizes are those of benches/sizes: reference has 1.25 billion parameters, large 0.2.
#
# First parity (benches/parity.rs): values, an answer and losses of training steps, of a small model, beside the CPU's.
# Then a table of training steps, encoding, prefill and decoding in bf16: milliseconds, TFLOP/s of the model's
# mathematics (benches/sizes/flops.rs), and their share of the card's peak, if its name is known below. PyTorch is
# measured (tests/gpu.py) where $PYTHON, python3 if not set, has torch with CUDA and transformers.
#
# Ends with 0; with 1 if the card computes something else or a program fails; with 2 on a wrong command line; with 4 if
# something is lacking: a card, its driver, a compiler.
set -euo pipefail
export LC_ALL=C

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
device=cuda size=reference programs='' build=''

usage() {
    echo "gpu.sh: $1" >&2
    sed -n '4,5s/^# *//p' "${BASH_SOURCE[0]}" >&2
    exit 2
}

lacking() {
    echo "gpu.sh: $1" >&2
    exit 4
}

while (($# > 0)); do
    case $1 in
    --device | --size | --programs | --build)
        (($# > 1)) || usage "$1 wants a value"
        printf -v "${1#--}" '%s' "$2"
        shift 2
        ;;
    *) usage "what is $1?" ;;
    esac
done
backend=${device%%:*}
case $device in
cuda | vulkan | cpu) index=0 ;;
cuda:* | vulkan:*) index=${device#*:} ;;
*) usage "--device is cuda, cuda:N, vulkan, vulkan:N or cpu" ;;
esac
[[ $index =~ ^[0-9]+$ ]] || usage "--device $device: N is a number"
readonly PROGRAMS=(parity step inference)

# build_into FOLDER: the programs, with the device's backend.
build_into() {
    command -v cargo >/dev/null || lacking "cargo is not here; build elsewhere with --build, and give --programs"
    mkdir -p "$1"
    local built program features=${backend/cpu/}
    # shellcheck disable=SC2046 # an option for each
    built=$(cd "$here/.." && cargo bench --locked --features "$features" $(printf -- '--bench %s ' "${PROGRAMS[@]}") \
        --no-run --message-format json-render-diagnostics)
    for program in "${PROGRAMS[@]}"; do
        local path
        path=$(sed -n "s/.*\"executable\":\"\([^\"]*\/$program-[^\"\/]*\)\".*/\1/p" <<<"$built" | tail -1)
        cp "$path" "$1/$program"
    done
}

# The name of the card, or the end.
card() {
    case $backend in
    cpu) sed -n 's/^model name.*: //p' /proc/cpuinfo | head -1 ;;
    cuda)
        command -v nvidia-smi >/dev/null || lacking "nvidia-smi is not here: no driver of NVIDIA's, and so no card"
        nvidia-smi --query-gpu=name --format=csv,noheader -i "$index" || lacking "there is no card $index"
        ;;
    vulkan)
        ldconfig -p 2>/dev/null | grep -q 'libvulkan\.so' || lacking "libvulkan.so is not here: no Vulkan"
        if command -v vulkaninfo >/dev/null; then
            local name
            name=$(vulkaninfo --summary 2>/dev/null | sed -n 's/.*deviceName *= *//p' | sed -n "$((index + 1))p")
            [[ -n $name ]] || lacking "Vulkan sees no card $index"
            echo "$name"
        else
            echo "a card without a name (vulkaninfo is not here)"
        fi
        ;;
    esac
}

# Dense products of bf16 with sums in f32, TFLOP/s, from the makers' data sheets.
peak() {
    case $1 in
    *B200*) echo 2250 ;;
    *H200* | *'H100 80GB HBM3'* | *'H100 SXM'*) echo 989 ;;
    *'H100 NVL'*) echo 835 ;;
    *'H100 PCIe'*) echo 756 ;;
    *A100*) echo 312 ;;
    *A10G*) echo 70 ;;
    *'A10') echo 125 ;;
    *L40S*) echo 362 ;;
    *L40*) echo 181 ;;
    *L4) echo 121 ;;
    *'RTX 6000 Ada'*) echo 364 ;;
    *'RTX A6000'*) echo 155 ;;
    *'RTX 5090'*) echo 210 ;;
    *'RTX 4090'*) echo 165 ;;
    *'RTX 3090') echo 71 ;;
    esac
}

# median WORK JSON: seconds.
median() {
    grep -o "\"$1\":{[^}]*}" <<<"$2" | sed -n 's/.*"median":\([0-9.e-]*\).*/\1/p'
}

# Seconds of a stage's step, without the first three.
training() {
    "$programs/step" --device "$device" time "$size" "$1" bf16 13 | tr -d '[]' | tr ',' '\n' | tail -n +4 | sort -g |
        sed -n 6p
}

# row NAME WORK OURS THEIRS: a line of the table. Seconds; theirs may be empty.
row() {
    local flops
    flops=$("$programs/step" flops "$size" "$2")
    awk -v name="$1" -v ours="$3" -v theirs="$4" -v flops="$flops" -v peak="$peak" '
        function cells(seconds) {
            if (seconds == "") return "- | - | -"
            speed = flops / seconds / 1e12
            return sprintf("%.2f | %.3g | %s", 1e3 * seconds, speed, peak == "" ? "-" : sprintf("%.1f %%", 100 * speed / peak))
        }
        BEGIN {
            printf "| %s | %s | %s | %s |\n", name, cells(ours), cells(theirs), \
                theirs == "" ? "-" : sprintf("%.2f", theirs / ours)
        }'
}

if [[ -n $build ]]; then
    build_into "$build"
    exit
fi
card=$(card)
peak=$(peak "$card")
if [[ $backend == cuda ]]; then
    # Burn's compiler links it into kernels that need its functions.
    libdevice=${CUDA_PATH:-/usr/local/cuda}/nvvm/libdevice/libdevice.10.bc
    [[ -e $libdevice ]] || lacking "$libdevice is not here; CUDA_PATH says where CUDA's toolkit is"
fi
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
if [[ -z $programs ]]; then
    programs=$scratch
    build_into "$programs"
fi
for program in "${PROGRAMS[@]}"; do
    [[ -x $programs/$program ]] || lacking "$programs/$program is not here"
done

echo "== parity on $card"
"$programs/parity" --device "$device" tiny

json=$("$programs/step" size "$size")
[[ $json =~ \"visual_tokens\":([0-9]+) ]] && tokens=${BASH_REMATCH[1]}
[[ $json =~ \"text\":([0-9]+) ]] && ((tokens += BASH_REMATCH[1]))
works=(encode "prefill:$tokens" "decode:$tokens" "decode:${tokens}x32")
ours=$("$programs/inference" --device "$device" time "$size" bf16 "${works[@]}")

theirs='' torch="PyTorch was not measured" torch_device=cuda
[[ $backend != cpu ]] || torch_device=cpu
python=${PYTHON:-python3}
if ! command -v "$python" >/dev/null; then
    torch+=": $python is not here"
elif ! said=$("$python" -c 'import sys, torch, transformers
print("PyTorch", torch.__version__, "transformers", transformers.__version__)
sys.exit(0 if sys.argv[1] == "cpu" or torch.cuda.is_available() else "torch has no card")' "$torch_device" 2>&1); then
    torch+=": ${said##*$'\n'}"
else
    torch=$said
    if ! theirs=$(CUDA_VISIBLE_DEVICES=$index "$python" "$here/gpu.py" "$torch_device" "$json" "${works[@]}" align finetune); then
        theirs='' torch="$said failed"
    fi
fi

printf '\n== %s, %s, size %s, bf16; peak %s TFLOP/s; %s; %s\n\n' "$card" "$device" "$size" "${peak:-unknown}" "$torch" \
    "$(date -u +%F)"
echo '| work | ms | TFLOP/s | of peak | PyTorch, ms | TFLOP/s | of peak | PyTorch / ours |'
echo '| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |'
for stage in align finetune; do
    row "training step, $stage" "$stage" "$(training "$stage")" "$(median "$stage" "$theirs")"
done
row encode encode "$(median encode "$ours")" "$(median encode "$theirs")"
row "prefill, $tokens tokens" "prefill:$tokens" "$(median "prefill:$tokens" "$ours")" "$(median "prefill:$tokens" "$theirs")"
row "decode a token" "decode:$tokens" "$(median "decode:$tokens" "$ours")" "$(median "decode:$tokens" "$theirs")"
row "decode a token, 32 rows" "decode:${tokens}x32" "$(median "decode:${tokens}x32" "$ours")" \
    "$(median "decode:${tokens}x32" "$theirs")"
