// Layers of a deployed network: a dense product, and one that skips what is not essential.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/custom_class.h>
#include <torch/library.h>

#include <algorithm>
#include <cstring>
#include <numeric>
#include <vector>

#include "product.h"

namespace nenni {
namespace {

using at::Tensor;

constexpr int64_t CACHE = 1 << 20; // bytes that a group of images may take: a core's own cache, about
constexpr int32_t TAPS = 62;       // at most that a position tells apart
constexpr int32_t SPAN = 256;      // positions of one unit of work, about
constexpr int64_t UNITS = 4;       // of work for each thread, where there are so many positions
constexpr int32_t STEP = 8;        // positions of a unit are a multiple of a register tile's
constexpr float ROUND = 1.5f * (1 << 23); // so large that a float added to it is a whole number

struct Kernel {
  const char* name;
  Run run;
};

// What this processor runs, the fastest first, but for tiles, which nobody has timed yet.
const std::vector<Kernel>& kernels_here() {
  static const std::vector<Kernel> found = [] {
    std::vector<Kernel> able;
#if defined(__x86_64__)
    const bool avx512 = __builtin_cpu_supports("avx512vnni") &&
                        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
#ifdef NENNI_AMX
    if (avx512 && may_use_amx()) able.push_back({"amx", run_amx});
#endif
    if (avx512) able.push_back({"avx512_vnni", run_avx512_vnni});
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
      able.push_back({"avx2", run_avx2});
#endif
    return able;
  }();
  return found;
}

Run chosen_kernel(c10::string_view name) {
  for (const Kernel& kernel : kernels_here())
    if (name == kernel.name) return kernel.run;
  TORCH_CHECK(false, "this processor has no kernel '", name, "'");
}

template <class T>
const T* numbers(const Tensor& x) {
  TORCH_CHECK(x.is_contiguous(), "tables should be contiguous");
  return x.const_data_ptr<T>();
}

void check_codes(const Tensor& codes) {
  TORCH_CHECK(codes.dim() == 4 && codes.scalar_type() == at::kByte && codes.is_contiguous() &&
                  codes.is_cpu(),
              "codes should be contiguous bytes (N, H, W, C) on the CPU");
}

// What a layer multiplies, and what becomes of its sums; nenni/deployment/convolution.py names the
// parts.
class Dense : public torch::CustomClassHolder {
 public:
  // `layer`: weights (blocks, steps, 16, 4), start (taps + 1, channels), position, step, inside.
  // `written`: factor, offset, position and, with a residual, its position; `bounds`: low, high,
  // zero, residual_factor. Numbers instead of codes are written where `as_numbers`.
  Dense(std::vector<Tensor> layer, int64_t channels, bool is_signed, bool narrow,
        std::vector<Tensor> written, const std::vector<double>& bounds, std::vector<int64_t> shape,
        bool as_numbers)
      : layer_(std::move(layer)), written_(std::move(written)), shape_(std::move(shape)),
        as_numbers_(as_numbers) {
    const Tensor& weights = layer_.at(0);
    const Tensor& start = layer_.at(1);
    TORCH_CHECK(weights.dim() == 4 && weights.size(2) == LANES && weights.size(3) == QUAD &&
                    weights.size(0) * LANES >= channels && start.dim() == 2 &&
                    start.size(1) == weights.size(0) * LANES && start.size(0) > 1 &&
                    weights.size(1) % (start.size(0) - 1) == 0 &&
                    layer_.at(3).numel() == weights.size(1) &&
                    layer_.at(4).numel() == layer_.at(2).numel(),
                "weights do not fit their tables");
    w_.position = numbers<int32_t>(layer_[2]);
    w_.step = numbers<int32_t>(layer_[3]);
    w_.positions = int32_t(layer_[2].numel());
    w_.inside = numbers<int64_t>(layer_[4]);
    w_.steps = int32_t(weights.size(1));
    w_.taps = int32_t(start.size(0) - 1);
    w_.all_taps = w_.taps <= TAPS ? (int64_t(1) << w_.taps) - 1 : -1;
    w_.channels = int32_t(channels);
    w_.weights = numbers<int8_t>(weights);
    w_.start = numbers<int32_t>(start);
    w_.is_signed = is_signed;
    w_.narrow = narrow;
    out_.factor = numbers<float>(written_.at(0));
    out_.offset = numbers<float>(written_.at(1));
    out_.position = numbers<int32_t>(written_.at(2));
    out_.low = float(bounds.at(0));
    out_.high = float(bounds.at(1));
    out_.zero = int32_t(bounds.at(2));
    out_.residual_factor = float(bounds.at(3));
  }

  int32_t channels() const { return w_.channels; }

  Product product(const Tensor& codes) const {
    check_codes(codes);
    Product w = w_;
    w.codes = codes.const_data_ptr<uint8_t>();
    w.image_stride = codes.stride(0);
    return w;
  }

  Output output(const Tensor& into, const c10::optional<Tensor>& residual) const {
    Output out = out_;
    if (residual) {
      check_codes(*residual);
      out.residual = residual->const_data_ptr<uint8_t>();
      out.residual_stride = residual->stride(0);
      out.residual_position = numbers<int32_t>(written_.at(3));
    }
    out.image_stride = into.stride(0);
    if (as_numbers_)
      out.numbers = into.data_ptr<float>();
    else
      out.codes = into.data_ptr<uint8_t>();
    return out;
  }

  // Of some images, (N, H, W, C).
  Tensor room(const Tensor& codes) const {
    return at::empty({codes.size(0), shape_.at(0), shape_.at(1), shape_.at(2)},
                     codes.options().dtype(as_numbers_ ? at::kFloat : at::kByte));
  }

  Tensor run(const Tensor& codes, const c10::optional<Tensor>& residual,
             const std::string& kernel) const;

 private:
  const std::vector<Tensor> layer_, written_;
  const std::vector<int64_t> shape_;
  const bool as_numbers_;
  Product w_{};
  Output out_{};
};

// What no position writes, the padding, is the code of 0.
void blank(const Output& out, int64_t image) {
  if (out.codes) std::memset(out.codes + image * out.image_stride, out.zero, out.image_stride);
}

// Calls f for groups of images that fit a core's cache, as many and as large for each thread; of fewer
// images than threads once, which then share the work within.
template <class F>
void by_group(int64_t images, int64_t bytes, const F& f) {
  if (!images) return;
  const int64_t threads = at::get_num_threads();
  const int64_t size = std::max<int64_t>(1, CACHE / std::max<int64_t>(1, bytes));
  const int64_t rounds = (images + threads * size - 1) / (threads * size);
  const int64_t groups = std::min(images, threads * rounds);
  if (groups == 1 || images < threads) return f(0, images);
  at::parallel_for(0, groups, 1, [&](int64_t first, int64_t last) {
    for (int64_t g = first; g < last; ++g) f(g * images / groups, (g + 1) * images / groups);
  });
}

// Positions of one unit of work, in multiples of `step`, of which no part is then cut in two ways:
// fewer than SPAN where threads would wait.
int32_t span_of(int32_t positions, int64_t rows, int32_t step) {
  const int64_t threads = at::in_parallel_region() ? 1 : at::get_num_threads();
  const int64_t wanted = threads == 1 ? 1 : UNITS * threads;
  const int64_t along = std::max<int64_t>((wanted + rows - 1) / rows, (positions + SPAN - 1) / SPAN);
  return int32_t((positions + along * step - 1) / (along * step)) * step;
}

// Runs all neurons of some images: channels outside, so that their weights stay in the cache.
void run_all(Run run, const Product& w, const Output& out, const Score* score, int64_t i0,
             int64_t i1) {
  const int32_t wide = score ? score->tile_channels : 2 * LANES;
  const int64_t along_c = (w.channels + wide - 1) / wide;
  const int64_t together = w.narrow ? TOGETHER : 1, along_i = (i1 - i0 + together - 1) / together;
  const int32_t step = score ? std::lcm(STEP, score->tile_positions) : STEP;
  const int32_t span = span_of(w.positions, along_c * along_i, step);
  const int64_t along_p = (w.positions + span - 1) / span;
  at::parallel_for(0, along_c * along_i * along_p, 1, [&](int64_t first, int64_t last) {
    for (int64_t unit = first; unit < last; ++unit) {
      const int32_t p0 = int32_t(unit % along_p) * span;
      const int64_t image = i0 + unit / along_p % along_i * together;
      const Images images{image, 1, int32_t(std::min(together, i1 - image))};
      const int32_t c0 = int32_t(unit / along_p / along_i) * wide;
      run(w, out, score, images, p0, std::min(p0 + span, w.positions), c0,
          std::min(c0 + wide, w.channels));
    }
  });
}

Tensor Dense::run(const Tensor& codes, const c10::optional<Tensor>& residual,
                  const std::string& kernel) const {
  const Run run = chosen_kernel(kernel);
  const Product w = product(codes);
  const Tensor into = room(codes);
  const Output out = output(into, residual);
  by_group(codes.size(0), w.image_stride + out.image_stride, [&](int64_t i0, int64_t i1) {
    for (int64_t i = i0; i < i1; ++i) blank(out, i);
    run_all(run, w, out, nullptr, i0, i1);
  });
  return into;
}

struct Place {
  int32_t along_channels, along_positions;
  Images images;
};

// Marks the k tiles with the largest mean score, of equal ones the first; NaN ranks last.
void choose(const float* mean, int64_t tiles, int64_t k, std::vector<int32_t>& order, char* chosen) {
  order.resize(tiles);
  std::iota(order.begin(), order.end(), 0);
  const auto before = [mean](int32_t a, int32_t b) {
    const bool known_a = mean[a] == mean[a], known_b = mean[b] == mean[b];
    if (known_a != known_b) return known_a;
    if (known_a && mean[a] != mean[b]) return mean[a] > mean[b];
    return a < b;
  };
  if (k < tiles) std::nth_element(order.begin(), order.begin() + k, order.end(), before);
  for (int64_t i = 0; i < k; ++i) chosen[order[i]] = 1;
}

// z' of a layer: P Q(x) as codes, z~ everywhere, and z where tiles of z~ have the largest means.
class Skipping : public torch::CustomClassHolder {
 public:
  // `score`: factor and offset of what is ranked; `tile`: channels and positions.
  Skipping(c10::intrusive_ptr<Dense> projection, c10::intrusive_ptr<Dense> approximate,
           c10::intrusive_ptr<Dense> exact, std::vector<Tensor> score, bool magnitude,
           std::vector<int64_t> tile, int64_t kept)
      : projection_(std::move(projection)), approximate_(std::move(approximate)),
        exact_(std::move(exact)), tables_(std::move(score)), kept_(kept) {
    score_.factor = numbers<float>(tables_.at(0));
    score_.offset = numbers<float>(tables_.at(1));
    score_.magnitude = magnitude;
    score_.tile_channels = int32_t(tile.at(0));
    score_.tile_positions = int32_t(tile.at(1));
    TORCH_CHECK(score_.tile_channels % LANES == 0 || exact_->channels() <= score_.tile_channels,
                "channels of a tile should be a multiple of ", LANES);
  }

  Tensor run(const Tensor& codes, const Tensor& approximated,
             const c10::optional<Tensor>& residual, const std::string& kernel) const;

 private:
  const c10::intrusive_ptr<Dense> projection_, approximate_, exact_;
  const std::vector<Tensor> tables_;
  const int64_t kept_;
  Score score_{};
};

Tensor Skipping::run(const Tensor& codes, const Tensor& approximated,
                     const c10::optional<Tensor>& residual, const std::string& kernel) const {
  const Run run = chosen_kernel(kernel);
  const Tensor into = exact_->room(codes), projected = projection_->room(codes);
  const Product p_of_x = projection_->product(approximated), of_p = approximate_->product(projected);
  const Product of_x = exact_->product(codes);
  const Output p_out = projection_->output(projected, {});
  const Output approximate_out = approximate_->output(into, residual);
  const Output exact_out = exact_->output(into, residual);

  Score score = score_;
  const int32_t along_p = (of_x.positions + score.tile_positions - 1) / score.tile_positions;
  const int32_t along_c = (of_x.channels + score.tile_channels - 1) / score.tile_channels;
  score.tiles_along_positions = along_p;
  const int64_t tiles = int64_t(along_p) * along_c;
  TORCH_CHECK(kept_ >= 0 && kept_ <= tiles, "there are ", tiles, " tiles, not ", kept_);
  std::vector<float> sums(codes.size(0) * tiles, 0.0f);
  score.sums = sums.data();
  score.image_stride = tiles;

  const int64_t bytes = of_x.image_stride + of_p.image_stride + exact_out.image_stride;
  by_group(codes.size(0), bytes, [&](int64_t i0, int64_t i1) {
    for (int64_t i = i0; i < i1; ++i) {
      blank(p_out, i);
      blank(exact_out, i);
    }
    run_all(run, p_of_x, p_out, nullptr, i0, i1);
    run_all(run, of_p, approximate_out, &score, i0, i1);
    std::vector<int32_t> order;
    std::vector<char> chosen((i1 - i0) * tiles, 0);
    for (int64_t i = i0; i < i1; ++i) {
      float* const mean = sums.data() + i * tiles;
      for (int32_t c = 0; c < along_c; ++c)
        for (int32_t p = 0; p < along_p; ++p) {
          const int32_t wide = std::min(score.tile_channels, of_x.channels - c * score.tile_channels);
          const int32_t high = std::min(score.tile_positions, of_x.positions - p * score.tile_positions);
          mean[c * along_p + p] /= float(wide * high);
        }
      choose(mean, tiles, kept_, order, chosen.data() + (i - i0) * tiles);
    }
    std::vector<Place> places; // channels outside, so that their weights stay in the cache
    const auto is_exact = [&](int32_t c, int32_t p, int64_t i) {
      return chosen[(i - i0) * tiles + c * along_p + p];
    };
    for (int32_t c = 0; c < along_c; ++c)
      if (of_x.narrow)
        for (int32_t p = 0; p < along_p; ++p) {
          int64_t other = -1; // an image that has no partner yet
          for (int64_t i = i0; i < i1; ++i)
            if (is_exact(c, p, i)) {
              if (other >= 0) places.push_back({c, p, {other, i - other, 2}});
              other = other < 0 ? i : -1;
            }
          if (other >= 0) places.push_back({c, p, {other, 1, 1}});
        }
      else
        for (int64_t i = i0; i < i1; ++i)
          for (int32_t p = 0; p < along_p; ++p)
            if (is_exact(c, p, i)) places.push_back({c, p, {i, 1, 1}});
    at::parallel_for(0, int64_t(places.size()), 4, [&](int64_t first, int64_t last) {
      for (int64_t at = first; at < last; ++at) {
        const Place& place = places[at];
        const int32_t p0 = place.along_positions * score.tile_positions;
        const int32_t c0 = place.along_channels * score.tile_channels;
        run(of_x, exact_out, nullptr, place.images, p0,
            std::min(p0 + score.tile_positions, of_x.positions), c0,
            std::min(c0 + score.tile_channels, of_x.channels));
      }
    });
  });
  return into;
}

// Codes (N, H, W, C) of numbers (N, C, H, W): clip(round(x / scale), low, high) + zero, in a padding.
Tensor to_codes(const Tensor& x, double scale, double low, double high, int64_t zero,
                int64_t padding, int64_t channels) {
  TORCH_CHECK(x.dim() == 4 && x.scalar_type() == at::kFloat && x.size(1) <= channels,
              "numbers should be floats (N, C, H, W)");
  const int64_t c = x.size(1), h = x.size(2), w = x.size(3), apart = x.stride(3);
  const Tensor into = at::full({x.size(0), h + 2 * padding, w + 2 * padding, channels}, zero,
                               x.options().dtype(at::kByte));
  const float step = float(scale), least = float(low), most = float(high), added = float(zero);
  const float* const from = x.const_data_ptr<float>();
  uint8_t* const to = into.data_ptr<uint8_t>();
  const auto code = [=](float number) {
    const float clipped = std::min(std::max(number / step, least), most);
    return uint8_t(int32_t(clipped + ROUND - ROUND + added));
  };
  const bool in_channels = x.stride(1) == 1 && c > 1; // numbers lie as their codes will
  at::parallel_for(0, x.size(0) * h, 8, [&](int64_t first, int64_t last) {
    std::vector<uint8_t> codes(w);
    for (int64_t row = first; row < last; ++row) {
      const int64_t image = row / h, y = row % h;
      uint8_t* line = to + image * into.stride(0) + (y + padding) * into.stride(1) + padding * channels;
      const float* const number = from + image * x.stride(0) + y * x.stride(2);
      if (in_channels) {
        for (int64_t i = 0; i < w; ++i)
          for (int64_t j = 0; j < c; ++j)
            line[i * channels + j] = code(number[i * apart + j]);
        continue;
      }
      for (int64_t j = 0; j < c; ++j) { // a row of codes, then each in its place
        for (int64_t i = 0; i < w; ++i) codes[i] = code(number[j * x.stride(1) + i * apart]);
        for (int64_t i = 0; i < w; ++i) line[i * channels + j] = codes[i];
      }
    }
  });
  return into;
}

// Codes of codes by a table of 256 bytes.
Tensor translated(const Tensor& codes, const Tensor& table) {
  check_codes(codes);
  TORCH_CHECK(table.numel() == 256, "a table should have 256 entries");
  const Tensor into = at::empty_like(codes);
  const uint8_t* const from = codes.const_data_ptr<uint8_t>();
  const uint8_t* const entry = numbers<uint8_t>(table);
  uint8_t* const to = into.data_ptr<uint8_t>();
  at::parallel_for(0, codes.numel(), 1 << 14, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) to[i] = entry[from[i]];
  });
  return into;
}

std::vector<std::string> kernels() {
  std::vector<std::string> names;
  for (const Kernel& kernel : kernels_here()) names.push_back(kernel.name);
  return names;
}

} // namespace

TORCH_LIBRARY(nenni_deployment, m) {
  m.def("kernels() -> str[]", kernels);
  m.class_<Dense>("Dense")
      .def(torch::init<std::vector<Tensor>, int64_t, bool, bool, std::vector<Tensor>,
                       std::vector<double>, std::vector<int64_t>, bool>())
      .def("run", &Dense::run);
  m.class_<Skipping>("Skipping")
      .def(torch::init<c10::intrusive_ptr<Dense>, c10::intrusive_ptr<Dense>,
                       c10::intrusive_ptr<Dense>, std::vector<Tensor>, bool, std::vector<int64_t>,
                       int64_t>())
      .def("run", &Skipping::run);
  m.def("to_codes(Tensor x, float scale, float low, float high, int zero, int padding, "
        "int channels) -> Tensor");
  m.def("translated(Tensor codes, Tensor table) -> Tensor");
}

TORCH_LIBRARY_IMPL(nenni_deployment, CPU, m) {
  m.impl("to_codes", to_codes);
  m.impl("translated", translated);
}

} // namespace nenni
