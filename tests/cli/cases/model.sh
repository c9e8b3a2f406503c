#!/bin/sh
# SPDX-License-Identifier: MIT
# A checkpoint of a few numbers, made by hand; and every misuse told.
try() {
    "$@" 2>&1
    echo "-> $?"
}

mkdir m
cat >m/config.json <<'JSON'
{"model_type": "cwm", "num_hidden_layers": 1, "hidden_size": 2,
 "intermediate_size": 1, "num_attention_heads": 1, "vocab_size": 3,
 "max_position_embeddings": 8, "tie_word_embeddings": true,
 "eos_token_id": 2, "layer_types": ["full_attention"]}
JSON
# one tensor: NAME SHAPE VALUES (how many); all of the layer's are zero
header="" at=0
tensor() {
    end=$((at + $3 * 2))
    header="$header${header:+,}\"$1\":{\"dtype\":\"BF16\",\"shape\":$2,\"data_offsets\":[$at,$end]}"
    at=$end
}
tensor model.embed_tokens.weight '[3,2]' 6
tensor model.norm.weight '[2]' 2
tensor model.layers.0.input_layernorm.weight '[2]' 2
tensor model.layers.0.self_attn.q_proj.weight '[2,2]' 4
tensor model.layers.0.self_attn.k_proj.weight '[2,2]' 4
tensor model.layers.0.self_attn.v_proj.weight '[2,2]' 4
tensor model.layers.0.self_attn.o_proj.weight '[2,2]' 4
tensor model.layers.0.post_attention_layernorm.weight '[2]' 2
tensor model.layers.0.mlp.gate_proj.weight '[1,2]' 2
tensor model.layers.0.mlp.up_proj.weight '[1,2]' 2
tensor model.layers.0.mlp.down_proj.weight '[2,1]' 2
header="{$header}"
n=${#header}
{
    printf %b "\\0$(printf %o $((n % 256)))\\0$(printf %o $((n / 256)))"
    printf '\0\0\0\0\0\0'
    printf %s "$header"
    # words 0 and 1: (1, 0) and (1, 1); word 2: (0, 4); norm 1, 1
    printf '\200\077\0\0\200\077\200\077\0\0\200\100\200\077\200\077'
    head -c 52 /dev/zero
} >m/model.safetensors

cwm model info m
echo '[[0], [1]]' >ids.json
cwm model logits m --ids ids.json -o out.f32 && wc -c <out.f32
cwm model generate m --ids ids.json --max-new 3 --greedy --json
echo '{"a": 1}' >m/tokenizer.json
for type in fp32 bf16 int8; do
    try cwm model convert m -o $type --type $type
    ls $type
    cwm model logits $type --ids ids.json -o $type.f32
    cmp out.f32 $type.f32 # nothing is lost of such weights
    cwm model convert $type -o back --type bf16
    cwm model logits back --ids ids.json -o back.f32
    cmp out.f32 back.f32
    rm -r back
done
try cwm model convert m -o int8 --type int8
try cwm model convert m -o no/such/folder
try cwm model convert m
echo '[[0, 1], [1]]' >uneven.json
try cwm model logits m --ids uneven.json -o out.f32
echo '[[3]]' >beyond.json
try cwm model logits m --ids beyond.json -o out.f32
echo '{}' >none.json
try cwm model logits m --ids none.json -o out.f32
try cwm model generate m --ids ids.json --max-new 8 --greedy
try cwm model generate m --ids ids.json
try cwm model generate m --greedy
try cwm model logits m --ids ids.json
try cwm model lgoits m
try cwm model info
try cwm model info missing
cp -r m cut
head -c 800 m/model.safetensors >cut/model.safetensors
try cwm model info cut
cp -r m wide
sed 's/"intermediate_size": 1/"intermediate_size": 7/' m/config.json \
    >wide/config.json
try cwm model info wide
cp -r m nan
{
    head -c $((8 + n)) m/model.safetensors
    printf '\300\177'
    tail -c +$((8 + n + 3)) m/model.safetensors
} >nan/model.safetensors
try cwm model logits nan --ids ids.json -o out.f32
try cwm model convert nan -o none
[ -e none ] || echo "no folder"

cp -r m parts
mv parts/model.safetensors parts/a.safetensors
index() {
    echo "$1" >parts/model.safetensors.index.json
    try cwm model info parts
}
index '{"weight_map": {"model.norm.weight": "a.safetensors"}}' | tail -n 1
index '{"weight_map": {"model.norm.weight": "../m/model.safetensors"}}'
index '{"weight_map": {"model.norm.weight": 3}}'
index '{"weight_map": {"model.norm.weight": "b.safetensors"}}'
index '{"weight_map": {"other": "a.safetensors"}}'
index '{}'
index 'no JSON'
