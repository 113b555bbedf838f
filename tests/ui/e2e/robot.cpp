// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "tests/ui/e2e/robot.h"

#include "tests/ui/e2e/ui_thread.h"

#include <QStringList>

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <thread>

#include <xcb/xcb.h>
#include <xcb/xtest.h>

namespace bitloom::ui {

namespace {

constexpr uint32_t shiftSymbol = 0xffe1;

template<class Reply>
std::unique_ptr<Reply, decltype(&std::free)> owned(Reply* reply) {
    return {reply, &std::free};
}

void pause(int ms) {
    std::this_thread::sleep_for(std::chrono::milliseconds(ms));
}

/// X's number of a key by its name; ASCII characters are their own.
uint32_t symbolOf(const QString& name) {
    static const std::map<QString, uint32_t> named{
        {QStringLiteral("Shift"), shiftSymbol}, {QStringLiteral("Ctrl"), 0xffe3},
        {QStringLiteral("Alt"), 0xffe9},        {QStringLiteral("Esc"), 0xff1b},
        {QStringLiteral("Return"), 0xff0d},     {QStringLiteral("Tab"), 0xff09},
        {QStringLiteral("Up"), 0xff52},         {QStringLiteral("Down"), 0xff54},
        {QStringLiteral("Left"), 0xff51},       {QStringLiteral("Right"), 0xff53},
        {QStringLiteral("Home"), 0xff50},       {QStringLiteral("End"), 0xff57},
        {QStringLiteral("Space"), 0x20}};
    if (const auto found = named.find(name); found != named.end()) return found->second;
    if (name.size() == 1 && name[0].unicode() >= 0x20 && name[0].unicode() < 0x7f)
        return name[0].unicode();
    throw Failure("no such key: " + name.toStdString());
}

} // namespace

Robot::Robot() {
    int number = 0;
    m_connection = xcb_connect(nullptr, &number);
    if (xcb_connection_has_error(m_connection)) throw Failure("no X server");
    auto screens = xcb_setup_roots_iterator(xcb_get_setup(m_connection));
    for (; number > 0; --number)
        xcb_screen_next(&screens);
    m_screen = screens.data;
    const auto version = owned(xcb_test_get_version_reply(
        m_connection, xcb_test_get_version(m_connection, 2, 2), nullptr));
    if (!version) throw Failure("the X server has no XTEST");
    const xcb_setup_t* setup = xcb_get_setup(m_connection);
    const auto map = owned(xcb_get_keyboard_mapping_reply(
        m_connection,
        xcb_get_keyboard_mapping(m_connection, setup->min_keycode,
                                 uint8_t(setup->max_keycode - setup->min_keycode + 1)),
        nullptr));
    if (!map) throw Failure("the X server has no keyboard");
    const xcb_keysym_t* symbols = xcb_get_keyboard_mapping_keysyms(map.get());
    const int each = map->keysyms_per_keycode;
    for (int code = 0; code * each < xcb_get_keyboard_mapping_keysyms_length(map.get()); ++code)
        for (int level = 0; level < std::min(each, 2); ++level)
            m_keys.emplace(symbols[code * each + level],
                           Key{uint8_t(setup->min_keycode + code), level == 1});
}

Robot::~Robot() {
    xcb_disconnect(m_connection);
}

void Robot::sync() {
    // An answer comes when everything before it has been done.
    owned(xcb_get_input_focus_reply(m_connection, xcb_get_input_focus(m_connection), nullptr));
}

void Robot::fake(uint8_t type, uint8_t detail, int x, int y) {
    xcb_test_fake_input(m_connection, type, detail, XCB_CURRENT_TIME, m_screen->root, int16_t(x),
                        int16_t(y), 0);
    sync();
}

void Robot::moveTo(QPoint point) {
    m_at = point;
    fake(XCB_MOTION_NOTIFY, 0, point.x(), point.y());
}

void Robot::press(int button) {
    fake(XCB_BUTTON_PRESS, uint8_t(button));
}

void Robot::release(int button) {
    fake(XCB_BUTTON_RELEASE, uint8_t(button));
}

void Robot::click(QPoint point, int button) {
    moveTo(point);
    pause(30);
    press(button);
    pause(30);
    release(button);
}

void Robot::glide(QPoint to, int steps, const std::function<void(int)>& after) {
    const QPoint from = m_at;
    for (int step = 1; step <= steps; ++step) {
        moveTo(from + (to - from) * double(step) / steps);
        pause(8); // what a mouse reports
        if (after) after(step);
    }
}

Robot::Key Robot::keyOf(uint32_t symbol) const {
    const auto found = m_keys.find(symbol);
    if (found == m_keys.end())
        throw Failure("the keyboard has no key for symbol " + std::to_string(symbol));
    return found->second;
}

void Robot::hold(const QString& key, bool down) {
    fake(down ? XCB_KEY_PRESS : XCB_KEY_RELEASE, keyOf(symbolOf(key)).code);
}

void Robot::key(const QString& chord) {
    QStringList names =
        chord == QLatin1String("+") ? QStringList{chord} : chord.split(QLatin1Char('+'));
    const QString last = names.takeLast();
    const QString plain = last.size() == 1 ? last.toLower() : last;
    const Key key = keyOf(symbolOf(plain));
    for (const QString& modifier : names)
        hold(modifier, true);
    if (key.shift) fake(XCB_KEY_PRESS, keyOf(shiftSymbol).code);
    fake(XCB_KEY_PRESS, key.code);
    fake(XCB_KEY_RELEASE, key.code);
    if (key.shift) fake(XCB_KEY_RELEASE, keyOf(shiftSymbol).code);
    for (auto modifier = names.rbegin(); modifier != names.rend(); ++modifier)
        hold(*modifier, false);
    pause(20);
}

void Robot::type(const QString& ascii) {
    for (const QChar character : ascii) {
        const Key key = keyOf(character.unicode());
        if (key.shift) fake(XCB_KEY_PRESS, keyOf(shiftSymbol).code);
        fake(XCB_KEY_PRESS, key.code);
        fake(XCB_KEY_RELEASE, key.code);
        if (key.shift) fake(XCB_KEY_RELEASE, keyOf(shiftSymbol).code);
        pause(5);
    }
}

QImage Robot::look(QRect area) {
    area &= QRect(0, 0, m_screen->width_in_pixels, m_screen->height_in_pixels);
    const auto pixels = owned(xcb_get_image_reply(
        m_connection,
        xcb_get_image(m_connection, XCB_IMAGE_FORMAT_Z_PIXMAP, m_screen->root, int16_t(area.x()),
                      int16_t(area.y()), uint16_t(area.width()), uint16_t(area.height()), ~0u),
        nullptr));
    if (!pixels || (pixels->depth != 24 && pixels->depth != 32))
        throw Failure("the screen cannot be read");
    QImage image(area.size(), QImage::Format_RGB32);
    const uint8_t* data = xcb_get_image_data(pixels.get());
    const size_t line = size_t(area.width()) * 4;
    for (int y = 0; y < area.height(); ++y)
        std::memcpy(image.scanLine(y), data + size_t(y) * line, line);
    return image;
}

uint32_t Robot::atom(const char* name) {
    const auto reply = owned(xcb_intern_atom_reply(
        m_connection, xcb_intern_atom(m_connection, 0, uint16_t(std::strlen(name)), name),
        nullptr));
    return reply ? reply->atom : 0;
}

QString Robot::titleOf(uint32_t window) {
    const auto reply = owned(xcb_get_property_reply(
        m_connection,
        xcb_get_property(m_connection, 0, window, atom("_NET_WM_NAME"), XCB_ATOM_ANY, 0, 1024),
        nullptr));
    if (!reply) return {};
    return QString::fromUtf8(static_cast<const char*>(xcb_get_property_value(reply.get())),
                             xcb_get_property_value_length(reply.get()));
}

std::vector<uint32_t> Robot::topLevels() {
    // Window managers put frames around windows: the client is the one that has WM_STATE or a
    // title, one or two levels down.
    std::vector<uint32_t> found;
    const std::function<bool(uint32_t, int)> search = [&](uint32_t window, int depth) {
        const auto attributes = owned(xcb_get_window_attributes_reply(
            m_connection, xcb_get_window_attributes(m_connection, window), nullptr));
        if (!attributes || attributes->_class != XCB_WINDOW_CLASS_INPUT_OUTPUT ||
            attributes->map_state != XCB_MAP_STATE_VIEWABLE)
            return false;
        if (!attributes->override_redirect && !titleOf(window).isEmpty()) {
            found.push_back(window);
            return true;
        }
        const auto tree = owned(
            xcb_query_tree_reply(m_connection, xcb_query_tree(m_connection, window), nullptr));
        if (!tree || depth == 0) return false;
        const xcb_window_t* children = xcb_query_tree_children(tree.get());
        for (int i = 0; i < xcb_query_tree_children_length(tree.get()); ++i)
            if (search(children[i], depth - 1) && window != m_screen->root) return true;
        return false;
    };
    search(m_screen->root, 3);
    return found;
}

uint32_t Robot::windowTitled(const QString& part) {
    for (const uint32_t window : topLevels())
        if (titleOf(window).contains(part)) return window;
    return 0;
}

void Robot::closeWindow(uint32_t window) {
    xcb_client_message_event_t event{};
    event.response_type = XCB_CLIENT_MESSAGE;
    event.format = 32;
    event.window = window;
    event.type = atom("WM_PROTOCOLS");
    event.data.data32[0] = atom("WM_DELETE_WINDOW");
    xcb_send_event(m_connection, 0, window, XCB_EVENT_MASK_NO_EVENT,
                   reinterpret_cast<const char*>(&event));
    sync();
}

bool Robot::hasWindowManager() {
    const auto reply = owned(xcb_get_property_reply(
        m_connection,
        xcb_get_property(m_connection, 0, m_screen->root, atom("_NET_SUPPORTING_WM_CHECK"),
                         XCB_ATOM_WINDOW, 0, 1),
        nullptr));
    return reply && xcb_get_property_value_length(reply.get()) > 0;
}

void Robot::focusTopWindow() {
    if (hasWindowManager()) return;
    const std::vector<uint32_t> windows = topLevels();
    const auto focus =
        owned(xcb_get_input_focus_reply(m_connection, xcb_get_input_focus(m_connection), nullptr));
    if (windows.empty() || !focus || focus->focus == windows.back()) return;
    xcb_set_input_focus(m_connection, XCB_INPUT_FOCUS_PARENT, windows.back(), XCB_CURRENT_TIME);
    sync();
}

} // namespace bitloom::ui
