// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
//
// The header is read as a stream of JSON events, not into a document: it may be 100 MB long, a
// document would silently keep the last of two tensors with the same name, and events need no
// stack.
#include "core/io/safetensors_header.h"

#include "core/base/error.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <limits>
#include <set>

namespace bitloom {

namespace {

class Reader {
public:
    // The event interface of nlohmann::json; its names are given.
    using json = nlohmann::json;
    using number_integer_t = json::number_integer_t;
    using number_unsigned_t = json::number_unsigned_t;
    using number_float_t = json::number_float_t;
    using string_t = json::string_t;
    using binary_t = json::binary_t;

    Reader(SafetensorsHeader& header, const std::string& where)
        : m_header(header), m_where(where) {}

    bool null() { return scalar("null"); }
    bool boolean(bool) { return scalar("a truth value"); }
    bool number_integer(number_integer_t) { return scalar("a negative number"); }
    bool number_float(number_float_t, const string_t&) { return scalar("a fraction or too large"); }
    bool binary(binary_t&) { return scalar("binary"); }

    bool number_unsigned(number_unsigned_t value) {
        if (m_skip > 0) return true;
        if (m_place != Place::Shape && m_place != Place::Offsets) return scalar("a number");
        if (value > static_cast<uint64_t>(std::numeric_limits<int64_t>::max()))
            fail(listName() + " holds " + std::to_string(value) + ", which is too large");
        if (m_place == Place::Shape)
            m_tensor.shape.push_back(static_cast<int64_t>(value));
        else if (++m_offsets == 1)
            m_tensor.begin = value;
        else if (m_offsets == 2)
            m_tensor.end = value;
        else
            fail("data_offsets has more than two numbers");
        return true;
    }

    bool string(string_t& value) {
        if (m_skip > 0) return true;
        if (m_place == Place::Metadata) {
            m_header.metadata[m_key] = std::move(value);
            return true;
        }
        if (m_place != Place::Tensor) return scalar("a text");
        if (m_key == "dtype") {
            const auto dtype = dtypeFromName(value);
            if (!dtype) fail("dtype '" + value + "' is not known here");
            m_tensor.dtype = *dtype;
            return true;
        }
        return m_key == "shape" || m_key == "data_offsets" ? scalar("a text") : true;
    }

    bool start_object(size_t) {
        if (m_skip > 0) {
            ++m_skip;
            return true;
        }
        switch (m_place) {
        case Place::Outside:
            m_place = Place::Top;
            return true;
        case Place::Top:
            if (m_key == "__metadata__") {
                m_place = Place::Metadata;
            } else {
                m_place = Place::Tensor;
                m_tensor = TensorInfo{};
                m_tensor.name = m_key;
                m_seen.clear();
                m_offsets = 0;
            }
            return true;
        case Place::Tensor:
            if (!isOurKey()) {
                m_skip = 1;
                return true;
            }
            [[fallthrough]];
        default:
            return scalar("an object");
        }
    }

    bool key(string_t& value) {
        if (m_skip > 0) return true;
        m_key = std::move(value);
        if (m_place == Place::Top) {
            if (!m_names.insert(m_key).second)
                throw Error(m_where + ": the header lists '" + m_key + "' twice");
        } else if (m_place == Place::Tensor) {
            if (!m_seen.insert(m_key).second) fail("'" + m_key + "' is given twice");
        } else if (m_header.metadata.contains(m_key)) {
            throw Error(m_where + ": __metadata__ lists '" + m_key + "' twice");
        }
        return true;
    }

    bool end_object() {
        if (m_skip > 0) {
            --m_skip;
            return true;
        }
        if (m_place == Place::Tensor) {
            finishTensor();
            m_place = Place::Top;
        } else {
            m_place = m_place == Place::Metadata ? Place::Top : Place::Outside;
        }
        return true;
    }

    bool start_array(size_t) {
        if (m_skip > 0) {
            ++m_skip;
            return true;
        }
        if (m_place == Place::Tensor && m_key == "shape")
            m_place = Place::Shape;
        else if (m_place == Place::Tensor && m_key == "data_offsets")
            m_place = Place::Offsets;
        else if (m_place == Place::Tensor && !isOurKey())
            m_skip = 1;
        else
            return scalar("a list");
        return true;
    }

    bool end_array() {
        if (m_skip > 0)
            --m_skip;
        else
            m_place = Place::Tensor;
        return true;
    }

    bool parse_error(size_t position, const std::string&, const nlohmann::detail::exception&) {
        throw Error(m_where + ": the header is not valid JSON (byte " + std::to_string(position) +
                    " of it)");
    }

private:
    enum class Place { Outside, Top, Metadata, Tensor, Shape, Offsets };

    bool isOurKey() const {
        return m_key == "dtype" || m_key == "shape" || m_key == "data_offsets";
    }
    std::string listName() const { return m_place == Place::Shape ? "shape" : "data_offsets"; }

    [[noreturn]] void fail(const std::string& what) const {
        throw Error(m_where + ": tensor '" + m_tensor.name + "': " + what);
    }

    /// A value of a kind that has no place here; passes where the key is none of ours.
    bool scalar(const char* kind) const {
        if (m_skip > 0) return true;
        switch (m_place) {
        case Place::Outside:
            throw Error(m_where + ": the header is " + kind + ", not a JSON object");
        case Place::Top:
            throw Error(m_where + ": the header's entry '" + m_key + "' is " + kind +
                        ", not an object");
        case Place::Metadata:
            throw Error(m_where + ": __metadata__ entry '" + m_key + "' is " + kind +
                        ", not a text");
        case Place::Tensor:
            if (!isOurKey()) return true;
            fail("'" + m_key + "' is " + kind);
        default:
            fail(listName() + " holds " + kind);
        }
    }

    void finishTensor() {
        for (const char* key : {"dtype", "shape", "data_offsets"})
            if (!m_seen.contains(key)) fail(std::string("has no '") + key + "'");
        if (m_offsets != 2) fail("data_offsets does not have two numbers");
        if (!shapeFits(m_tensor.shape, dtypeBytes(m_tensor.dtype)))
            fail("shape " + shapeText(m_tensor.shape) + " is too large");
        if (m_tensor.begin > m_tensor.end)
            fail("ends (byte " + std::to_string(m_tensor.end) + ") before it begins (byte " +
                 std::to_string(m_tensor.begin) + ")");
        const auto bytes =
            static_cast<uint64_t>(m_tensor.elements()) * uint64_t(dtypeBytes(m_tensor.dtype));
        if (bytes != m_tensor.bytes())
            fail(std::string(dtypeName(m_tensor.dtype)) + " " + shapeText(m_tensor.shape) +
                 " takes " + std::to_string(bytes) + " bytes, but " +
                 std::to_string(m_tensor.bytes()) + " are given");
        m_header.tensors.push_back(std::move(m_tensor));
    }

    SafetensorsHeader& m_header;
    const std::string& m_where;
    Place m_place = Place::Outside;
    size_t m_skip = 0; ///< depth inside a value that is none of ours
    std::string m_key;
    std::set<std::string> m_names, m_seen;
    TensorInfo m_tensor;
    int m_offsets = 0;
};

} // namespace

bool shapeFits(std::span<const int64_t> shape, int64_t unit) {
    int64_t product = unit;
    for (const int64_t size : shape) {
        if (size < 0) return false;
        if (__builtin_mul_overflow(product, std::max<int64_t>(size, 1), &product)) return false;
    }
    return true;
}

SafetensorsHeader SafetensorsHeader::parse(std::string_view json, const std::string& where) {
    // The parser takes a NUL for the end and would not look at what follows.
    if (json.find('\0') != json.npos)
        throw Error(where + ": the header is not valid JSON (it holds a NUL byte)");
    SafetensorsHeader header;
    Reader reader(header, where);
    try {
        nlohmann::json::sax_parse(json, &reader);
    } catch (const nlohmann::json::exception&) {
        throw Error(where + ": the header is not valid JSON");
    }
    return header;
}

} // namespace bitloom
