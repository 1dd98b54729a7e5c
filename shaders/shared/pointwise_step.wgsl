// One vec4 of input channels of `source` times its weights, added to all sums of an invocation; s and w go on to the next.
let x0 = vec4<f32>({{ source }}[s]);
{%- for i in range(1, pixels) %}
let x{{ i }} = vec4<f32>({{ source }}[s + o{{ i }}]);
{%- endfor %}
{%- if subgroup %}
{%- for k in range((elements + subgroup - 1) // subgroup) %}
let v{{ k }} = vec4<f32>(weights[w{{ k }}]);
w{{ k }} += 8u;
{%- endfor %}
{%- endif %}
{%- for lane in ["x", "y", "z", "w"] %}
{%- set row = loop.index0 %}
{%- for o in range(outputs) %}
{
{%- if subgroup %}
{%- set e = row * outputs + o %}
    let w = subgroupBroadcast(v{{ e // subgroup }}, {{ e % subgroup }}u);
{%- else %}
    let w = vec4<f32>(weights[w{{ o // 2 }} + {{ row * 2 + o % 2 }}u]);
{%- endif %}
{%- for i in range(pixels) %}
    a{{ i }}_{{ o }} += w * x{{ i }}.{{ lane }};
{%- endfor %}
}
{%- endfor %}
{%- endfor %}
s += area;
{%- if not subgroup %}
{%- for q in range(outputs // 2) %}
w{{ q }} += 8u;
{%- endfor %}
{%- endif %}
