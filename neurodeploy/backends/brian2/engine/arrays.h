// What the main programs share: sizes read at start, arrays by name, files.  Included by one translation unit alone.
#ifndef NEURODEPLOY_ARRAYS_H
#define NEURODEPLOY_ARRAYS_H

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include "engine.h"

namespace neurodeploy {

extern const int size_count;

long read_size_of(int k) {
    static const bool complete = [] {
        std::ifstream file("sizes");
        for (int i = 0; i < size_count; i++) file >> sizes[i];
        return static_cast<bool>(file);
    }();
    if (!complete) {
        std::cout << "error the file 'sizes' is missing or incomplete" << std::endl;
        std::exit(3);
    }
    return sizes[k];
}

// An array by name: either plain memory of a fixed length or a vector that grows with what is loaded.
struct Array {
    char* data = nullptr;
    size_t bytes = 0;
    std::vector<int32_t>* integers = nullptr;
    std::vector<double>* reals = nullptr;
};
static std::map<std::string, Array> arrays;

template <class T> Array plain(T* data, size_t count) {
    Array array;
    array.data = reinterpret_cast<char*>(data);
    array.bytes = count * sizeof(T);
    return array;
}
static Array growing(std::vector<int32_t>& vector) { Array array; array.integers = &vector; return array; }
static Array growing(std::vector<double>& vector) { Array array; array.reals = &vector; return array; }

static Array& array_called(const std::string& name) {
    auto found = arrays.find(name);
    if (found == arrays.end()) throw std::runtime_error("there is no array " + name);
    return found->second;
}

static std::vector<char> read_file(const std::string& path) {
    std::ifstream file(path, std::ios::binary | std::ios::ate);
    if (!file) throw std::runtime_error("cannot read " + path);
    std::vector<char> bytes(file.tellg());
    file.seekg(0);
    if (!bytes.empty() && !file.read(bytes.data(), bytes.size())) throw std::runtime_error("cannot read " + path);
    return bytes;
}

template <class T> std::vector<T> read_vector(const std::string& path) {
    const std::vector<char> bytes = read_file(path);
    std::vector<T> values(bytes.size() / sizeof(T));
    if (!values.empty()) std::memcpy(values.data(), bytes.data(), values.size() * sizeof(T));
    return values;
}

static void load(const std::string& name, const std::string& path) {
    Array& array = array_called(name);
    if (array.integers) { *array.integers = read_vector<int32_t>(path); return; }
    if (array.reals) { *array.reals = read_vector<double>(path); return; }
    const std::vector<char> bytes = read_file(path);
    if (bytes.size() != array.bytes)
        throw std::runtime_error(name + " takes " + std::to_string(array.bytes) + " bytes, " + path + " has " +
                                 std::to_string(bytes.size()));
    std::memcpy(array.data, bytes.data(), bytes.size());
}

static void write_file(const std::string& path, const void* data, size_t bytes) {
    std::ofstream file(path, std::ios::binary);
    if (bytes) file.write(static_cast<const char*>(data), bytes);
    file.close();
    if (!file) throw std::runtime_error("cannot write " + path + " (is the disk full?)");
}

static void save(const std::string& name, const std::string& path) {
    const Array& array = array_called(name);
    const char* data = array.data;
    size_t bytes = array.bytes;
    if (array.integers) { data = reinterpret_cast<const char*>(array.integers->data()); bytes = array.integers->size() * sizeof(int32_t); }
    if (array.reals) { data = reinterpret_cast<const char*>(array.reals->data()); bytes = array.reals->size() * sizeof(double); }
    write_file(path, data, bytes);
}

static std::FILE* open_for_writing(const std::string& path) {
    std::FILE* file = std::fopen(path.c_str(), "wb");
    if (!file) throw std::runtime_error("cannot write " + path);
    return file;
}

static void write(std::FILE* file, const void* data, size_t bytes) {
    if (bytes && std::fwrite(data, 1, bytes, file) != bytes)
        throw std::runtime_error("cannot write recorded data (is the disk full?)");
}

}  // namespace neurodeploy

#endif
